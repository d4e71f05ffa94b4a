//! The pages of a tree at a commit: which go, which are joined, and their records.

use crate::Error;
use crate::collection::tree::Tree;
use crate::keyspace::Shared;
use crate::layout::{self, Name};
use crate::stripe::Stripe;
use crate::value::{Value, Written};
use bitcask_core::{Batch, Held, KeyRange};
use std::collections::HashSet;
use std::ops::{Bound, ControlFlow};

/// A page that has lost entries, and is smaller than one of this many parts of the greatest size, joins a neighbour …
const SMALL_SHARE: usize = 4;
/// … if both together take no more than this many fourths of that.
const JOINED_FOURTHS: usize = 3;

/// What the pages of one tree are tidied with.
struct Tidy<'a, 'b> {
    stripe: &'a mut Stripe,
    shared: &'a Shared,
    /// Of the key's record.
    name: &'a [u8],
    batch: &'b mut Batch,
    /// Pages that the batch deletes.
    gone: HashSet<Box<[u8]>>,
    /// Pages that are to be written.
    kept: Vec<Name>,
}

/// Adds the records of the `dirty` pages of the tree whose key's record is `name`, having dropped those that are
/// empty, and joined those that have become small to a neighbour.
pub(super) fn log_pages(
    stripe: &mut Stripe,
    shared: &Shared,
    held: &Held<'_>,
    name: &[u8],
    dirty: Vec<Name>,
    batch: &mut Batch,
    logged: &mut Vec<(Name, Written)>,
) -> Result<(), Error> {
    let mut tidy = Tidy {
        stripe,
        shared,
        name,
        batch,
        gone: HashSet::new(),
        kept: Vec::with_capacity(dirty.len()),
    };
    for page in dirty {
        tidy.page(page)?;
    }
    let Tidy { stripe, batch, gone, kept, .. } = tidy;
    for page_name in kept {
        if gone.contains(&page_name[..]) {
            continue;
        }
        let page = stripe.tree_page(&shared.backing, &page_name)?;
        let written = page.log(&shared.backing.log, held, &page_name, batch);
        logged.push((page_name, written));
    }
    Ok(())
}

impl Tidy<'_, '_> {
    /// Drops a dirty page, joins it, or keeps it to be written.
    fn page(&mut self, name: Name) -> Result<(), Error> {
        if self.gone.contains(&name[..]) {
            return Ok(());
        }
        let leaf_bytes = self.shared.sizes.leaf;
        let is_first = layout::lower_of(&name).is_empty();
        let page = self.stripe.tree_page(&self.shared.backing, &name)?;
        let bytes = page.leaf.encoded_len();
        if page.leaf.is_empty() && !is_first {
            return self.drop_page(&name);
        }
        if page.shrank && bytes * SMALL_SHARE < leaf_bytes {
            let neighbour = if is_first { self.after(&name)? } else { self.before(&name)? };
            if let Some(neighbour) = neighbour {
                let (left, right) =
                    if is_first { (&name, &neighbour) } else { (&neighbour, &name) };
                // One that cannot be read stays alone.
                let other = self.stripe.tree_page(&self.shared.backing, &neighbour);
                let fits = other.is_ok_and(|other| {
                    (bytes + other.leaf.encoded_len()) * 4 <= leaf_bytes * JOINED_FOURTHS
                });
                if fits {
                    self.join(left, right)?;
                    if is_first {
                        self.kept.push(name);
                    }
                    return Ok(());
                }
            }
        }
        self.kept.push(name);
        Ok(())
    }

    /// Brings the entries of two neighbours into the left one.
    fn join(&mut self, left: &Name, right: &Name) -> Result<(), Error> {
        let backing = &self.shared.backing;
        let entries = std::mem::take(&mut self.stripe.tree_page(backing, right)?.leaf);
        let page = self.stripe.tree_page(backing, left)?;
        page.leaf.append(&entries);
        let (newly, len) = (page.rearranged(), page.leaf.len());
        if newly {
            self.kept.push(left.clone());
        }
        self.with_directories(|directory| directory.set(left, len))?;
        self.drop_page(right)
    }

    fn drop_page(&mut self, name: &Name) -> Result<(), Error> {
        let page = self.stripe.tree_page(&self.shared.backing, name)?;
        if page.links.is_some() {
            self.batch.delete(name);
        }
        self.stripe.cache.remove(&self.shared.backing.budget, name);
        self.tree()?.fresh.remove(&name[..]);
        self.with_directories(|directory| directory.remove(name))?;
        self.gone.insert(name[..].into());
        Ok(())
    }

    fn tree(&mut self) -> Result<&mut Tree, Error> {
        let db = crate::Db(self.name[0]);
        match &mut self.stripe.key(&self.shared.backing, db, self.name)?.value {
            Value::Tree(tree) => Ok(tree),
            _ => unreachable!("pages are those of a tree"),
        }
    }

    /// Names of pages say which directory they are in; the others do not have them.
    fn with_directories(
        &mut self,
        mut change: impl FnMut(&mut crate::collection::directory::Directory),
    ) -> Result<(), Error> {
        self.tree()?.directories.iter_mut().flatten().for_each(&mut change);
        Ok(())
    }

    /// The page before this one.
    fn before(&mut self, name: &Name) -> Result<Option<Name>, Error> {
        let prefix = &name[..name.len() - layout::lower_of(name).len()];
        let below = KeyRange::prefix(prefix).before(&name[..]);
        let gone = &self.gone;
        let logged = self.shared.backing.log.keys(below).rev();
        let logged = logged.map(|name| Name::of(&name)).find(|name| !gone.contains(&name[..]));
        let fresh = &self.tree()?.fresh;
        let mut fresh = fresh.range::<[u8], _>((Bound::Unbounded, Bound::Excluded(&name[..])));
        let fresh = fresh.next_back().filter(|name| name.starts_with(prefix));
        let fresh = fresh.map(|name| Name::of(name));
        Ok(match (logged, fresh) {
            (Some(logged), Some(fresh)) => Some(if *logged > *fresh { logged } else { fresh }),
            (logged, fresh) => logged.or(fresh),
        })
    }

    /// The page after this one.
    fn after(&mut self, name: &Name) -> Result<Option<Name>, Error> {
        let prefix = &name[..name.len() - layout::lower_of(name).len()];
        let (from, mut logged) = ([name, &b"\0"[..]].concat(), None);
        let gone = &self.gone;
        self.shared.backing.log.walk(prefix, &from, &mut |next| {
            if gone.contains(next) {
                return ControlFlow::Continue(());
            }
            logged = Some(Name::of(next));
            ControlFlow::Break(())
        });
        let fresh = &self.tree()?.fresh;
        let fresh = fresh.range::<[u8], _>((Bound::Excluded(&name[..]), Bound::Unbounded)).next();
        let fresh = fresh.filter(|name| name.starts_with(prefix)).map(|name| Name::of(name));
        Ok(match (logged, fresh) {
            (Some(logged), Some(fresh)) => Some(if *logged < *fresh { logged } else { fresh }),
            (logged, fresh) => logged.or(fresh),
        })
    }
}
