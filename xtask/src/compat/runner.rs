//! Sends what the families make up to both servers, in pipelined runs, and reports what differs.

use super::case::{Case, Step};
use super::family::{Family, Maker};
use super::history::{History, line};
use super::{Plan, Protocols, rules, state};
use crate::random::Random;
use crate::wire::{Connection, Value, encode};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Commands sent before their replies are read.
const PIPELINED: usize = 64;
/// Commands between two comparisons of the contents.
const STATE_EVERY: u64 = 2_000;
/// Commands between two times that everything is deleted.
const FLUSH_EVERY: u64 = 8_000;
/// Differences of one command that are printed in full.
const PRINTED_EACH: u64 = 3;
/// Differences after which going on tells nothing new.
const ENOUGH: u64 = 500;
/// Expired keys are removed in the background by then.
const EXPIRED_GONE: Duration = Duration::from_secs(5);
/// Longer than the short expiries, so that they have passed.
const PAUSE: Duration = Duration::from_millis(40);

/// Runs the plan on the two servers.
///
/// # Errors
/// There are differences, or a connection breaks.
pub fn compare(plan: &Plan, ours: SocketAddr, theirs: SocketAddr) -> Result<(), String> {
    let started = Instant::now();
    let mut runner =
        Runner::new(plan, ours, theirs).map_err(|e| format!("compat: {ours} and {theirs}: {e}"))?;
    let outcome = runner.run(plan);
    let took = started.elapsed().as_secs_f64();
    runner.summarise(plan.seed, took);
    outcome.map_err(|e| format!("compat: seed {}: {e}", plan.seed))?;
    if runner.differences == 0 {
        return Ok(());
    }
    Err(format!("compat: {} differences with seed {}", runner.differences, plan.seed))
}

/// One server of the two, with its connections.
struct Side {
    name: &'static str,
    addr: SocketAddr,
    main: Connection,
    aside: Connection,
    control: Connection,
    /// Hears of all events, if these are compared.
    listener: Option<Connection>,
}

impl Side {
    fn open(name: &'static str, addr: SocketAddr) -> io::Result<Self> {
        let [main, aside, control] =
            [Connection::open(addr)?, Connection::open(addr)?, Connection::open(addr)?];
        Ok(Side { name, addr, main, aside, control, listener: None })
    }

    fn named<T>(&self, result: io::Result<T>) -> Result<T, String> {
        result.map_err(|e| format!("{}: {e}", self.name))
    }
}

/// The key that an event is about.
fn key_of(event: &[u8]) -> Option<&[u8]> {
    let end = event.iter().rposition(|byte| *byte == b' ')?;
    if event.starts_with(b"__keyspace@") {
        let start = event.iter().position(|byte| *byte == b':')? + 1;
        event.get(start..end)
    } else {
        event.get(end + 1..)
    }
}

struct Runner {
    sides: [Side; 2],
    history: History,
    sent: u64,
    differences: u64,
    by_command: BTreeMap<String, u64>,
    explained: BTreeMap<&'static str, u64>,
    sent_by_command: BTreeMap<String, u64>,
    /// Something differed since both were emptied.
    tainted: bool,
}

impl Runner {
    fn new(_plan: &Plan, ours: SocketAddr, theirs: SocketAddr) -> io::Result<Self> {
        Ok(Runner {
            sides: [Side::open("ours", ours)?, Side::open("theirs", theirs)?],
            history: History::default(),
            sent: 0,
            differences: 0,
            by_command: BTreeMap::new(),
            explained: BTreeMap::new(),
            sent_by_command: BTreeMap::new(),
            tainted: false,
        })
    }

    fn run(&mut self, plan: &Plan) -> Result<(), String> {
        let mut random = Random::new(plan.seed);
        let mut maker = Maker::new(plan.protocol);
        let mut families =
            if plan.families.is_empty() { Family::ALL.to_vec() } else { plan.families.clone() };
        if plan.events {
            // A subscriber to everything would hear of keys that expire, on each server at its own time.
            families.retain(|family| *family != Family::PubSub);
        }
        let weights: Vec<u32> = families.iter().map(|family| family.weight()).collect();
        let (mut next_state, mut next_flush) = (STATE_EVERY, FLUSH_EVERY);
        let mut epoch = 0;
        self.begin(plan, epoch)?;
        let mut waiting: Vec<Case> = Vec::new();
        while self.sent < plan.commands && self.differences < ENOUGH {
            let family = families[random.weighted(&weights)];
            let mut whole = Vec::new();
            maker.make(family, &mut random, &mut whole);
            for step in whole {
                match step {
                    Step::Send(case) => waiting.push(case),
                    Step::Aside(case) => {
                        self.exchange(&mut waiting, false)?;
                        self.exchange(&mut vec![case], true)?;
                    }
                    Step::Publish { sharded, channel, text } => {
                        self.exchange(&mut waiting, false)?;
                        let name: &[u8] = if sharded { b"SPUBLISH" } else { b"PUBLISH" };
                        self.publish(&Case::new(&[name, &channel, &text]))?;
                    }
                    Step::Scan(options) => {
                        self.exchange(&mut waiting, false)?;
                        self.scan(&options)?;
                    }
                    Step::Carry(key) => {
                        self.exchange(&mut waiting, false)?;
                        self.carry(&key)?;
                    }
                    Step::Size => {
                        self.exchange(&mut waiting, false)?;
                        self.size()?;
                    }
                    Step::Pause => {
                        self.exchange(&mut waiting, false)?;
                        sleep(PAUSE);
                    }
                }
            }
            if waiting.len() < PIPELINED && self.sent + (waiting.len() as u64) < plan.commands {
                continue;
            }
            self.exchange(&mut waiting, false)?;
            self.compare_events()?;
            if self.sent >= next_state || self.sent >= plan.commands {
                next_state = self.sent + STATE_EVERY;
                if !self.tainted {
                    self.compare_state()?;
                }
            }
            if self.tainted || self.sent >= next_flush {
                next_flush = self.sent + FLUSH_EVERY;
                epoch += 1;
                self.begin(plan, epoch)?;
            }
        }
        Ok(())
    }

    /// Empties both, and connects anew in the protocol whose turn it is.
    fn begin(&mut self, plan: &Plan, epoch: u64) -> Result<(), String> {
        let protocol = match plan.protocol {
            Protocols::Resp2 => "2",
            Protocols::Resp3 => "3",
            Protocols::Both => ["2", "3"][(epoch % 2) as usize],
        };
        for side in &mut self.sides {
            let opened = Side::open(side.name, side.addr);
            *side = side.named(opened)?;
            for request in [&["HELLO", protocol][..], &["FLUSHALL"]] {
                let reply = side.main.call(request);
                let reply = side.named(reply)?;
                if let Some(error) = reply.error() {
                    return Err(format!("{}: {}", side.name, String::from_utf8_lossy(error)));
                }
            }
            let reply = side.aside.call(&["HELLO", protocol]);
            side.named(reply)?;
            if plan.events {
                let opened = Connection::open(side.addr);
                let mut listener = side.named(opened)?;
                let letters = ["KEA", "KEAn", "KEAm", "KEg$x"][(epoch % 4) as usize];
                for request in [
                    &["CONFIG", "SET", "notify-keyspace-events", letters][..],
                    &["PSUBSCRIBE", "__key*"],
                ] {
                    let reply = listener.call(request);
                    side.named(reply)?;
                }
                side.listener = Some(listener);
            }
        }
        self.history.clear();
        self.tainted = false;
        Ok(())
    }

    /// Sends `cases` to both, reads and compares the replies.
    fn exchange(&mut self, cases: &mut Vec<Case>, aside: bool) -> Result<(), String> {
        let cases = std::mem::take(cases);
        let mut request = Vec::new();
        for case in &cases {
            encode(&case.args, &mut request);
        }
        for side in &mut self.sides {
            let connection = if aside { &mut side.aside } else { &mut side.main };
            let sent = connection.send(&request);
            side.named(sent)?;
        }
        for case in &cases {
            self.sent += 1;
            *self.sent_by_command.entry(case.name()).or_default() += 1;
            self.history.add(case);
            for _ in 0..case.replies {
                let mut replies = Vec::new();
                for side in &mut self.sides {
                    let connection = if aside { &mut side.aside } else { &mut side.main };
                    let reply = connection.receive().map_err(|e| {
                        format!("{}: {e}, instead of a reply to {}", side.name, line(case))
                    })?;
                    replies.push(reply.0);
                }
                if !case.compare.agree(&replies[0], &replies[1]) {
                    self.differ(case, &replies[0], &replies[1]);
                }
            }
        }
        Ok(())
    }

    /// Publishes on the side, and compares what the main connections hear of it, in any order.
    fn publish(&mut self, case: &Case) -> Result<(), String> {
        let (mut counts, mut heard) = (Vec::new(), Vec::new());
        for side in &mut self.sides {
            let reply = side.aside.call(&case.args);
            let reply = side.named(reply)?;
            let mut messages = Vec::new();
            for _ in 0..reply.integer().unwrap_or(0) {
                let message = side.main.receive();
                messages.push(side.named(message)?.0);
            }
            messages.sort_by_key(|message| format!("{message:?}"));
            counts.push(reply);
            heard.push(Value::Many(b'*', Some(messages)));
        }
        self.sent += 1;
        self.history.add(case);
        if counts[0] != counts[1] {
            self.differ(case, &counts[0], &counts[1]);
        } else if heard[0] != heard[1] {
            self.differ(case, &heard[0], &heard[1]);
        }
        Ok(())
    }

    /// Compares what both have told of the keys since the last time. When a key expires is up to each, and so is what
    /// commands meanwhile do to it: that is not compared.
    fn compare_events(&mut self) -> Result<(), String> {
        let end = format!("end-{}", self.sent).into_bytes();
        let (mut told, mut expired) = (Vec::new(), false);
        for side in &mut self.sides {
            let Some(listener) = &mut side.listener else { return Ok(()) };
            let published = side.control.call(&[&b"PUBLISH"[..], b"__key-end", &end]);
            let mut events: Vec<Vec<u8>> = Vec::new();
            loop {
                let message = listener.receive().map_err(|e| format!("{}: {e}", side.name))?.0;
                let words: Vec<&[u8]> =
                    message.many().unwrap_or_default().iter().filter_map(Value::text).collect();
                let [_, _, channel, text] = words[..] else {
                    return Err(format!("{}: told {message}", side.name));
                };
                if text == end {
                    break;
                }
                if text == b"expired" || channel.ends_with(b":expired") {
                    expired = true;
                } else {
                    events.push([channel, b" ", text].concat());
                }
            }
            side.named(published)?;
            told.push(events);
        }
        if told[0] == told[1] || expired || self.tainted {
            return Ok(());
        }
        let same = told[0].iter().zip(&told[1]).take_while(|(ours, theirs)| ours == theirs).count();
        let after = |events: &[Vec<u8>]| {
            let from = same.saturating_sub(2).min(events.len());
            let some = events[from..events.len().min(same + 4)].iter();
            some.map(|event| event.escape_ascii().to_string()).collect::<Vec<_>>().join("; ")
        };
        let shown =
            format!("  events\n    ours    {}\n    theirs  {}", after(&told[0]), after(&told[1]));
        let keys: Vec<&[u8]> = told.iter().filter_map(|events| key_of(events.get(same)?)).collect();
        let mut history = self.history.about(keys.into_iter());
        history.extend(self.history.recent());
        self.report("events".into(), &shown, &history);
        Ok(())
    }

    fn differ(&mut self, case: &Case, ours: &Value, theirs: &Value) {
        if let Some(rule) = rules::explain(case, ours, theirs) {
            *self.explained.entry(rule.name).or_default() += 1;
            return;
        }
        // What was sent in the same run already may only be a consequence of the first difference.
        if self.tainted {
            return;
        }
        let keys = case.args.iter().skip(1).map(Vec::as_slice);
        // One without arguments is about what was sent just before.
        let history =
            if case.args.len() < 2 { self.history.recent() } else { self.history.about(keys) };
        let shown = format!("  {}\n    ours    {ours}\n    theirs  {theirs}", line(case));
        self.report(case.name(), &shown, &history);
    }

    fn report(&mut self, name: String, shown: &str, history: &[String]) {
        self.differences += 1;
        self.tainted = true;
        let count = self.by_command.entry(name).or_default();
        *count += 1;
        if *count <= PRINTED_EACH {
            println!("difference {} near command {}", self.differences, self.sent);
            println!("{shown}");
            for line in history {
                println!("      after {line}");
            }
        }
    }

    fn scan(&mut self, options: &[Vec<u8>]) -> Result<(), String> {
        let mut found: Vec<BTreeSet<Vec<u8>>> = Vec::new();
        for side in &mut self.sides {
            let mut keys = BTreeSet::new();
            let mut cursor = b"0".to_vec();
            loop {
                let mut args = vec![b"SCAN".to_vec(), cursor.clone()];
                args.extend_from_slice(options);
                let reply = side.main.call(&args);
                let reply = side.named(reply)?;
                let (Some(next), Some(some)) = (
                    reply.many().and_then(|r| r.first()?.text()),
                    reply.many().and_then(|r| r.get(1)?.many()),
                ) else {
                    return Err(format!("{}: SCAN replied {reply}", side.name));
                };
                keys.extend(some.iter().filter_map(|key| Some(key.text()?.to_vec())));
                self.sent += 1;
                if next == b"0" {
                    break;
                }
                cursor = next.to_vec();
            }
            found.push(keys);
        }
        if found[0] != found[1] && !self.tainted {
            let mut args = vec![b"SCAN".to_vec(), b"0".to_vec()];
            args.extend_from_slice(options);
            let text = line(&Case::new(&args));
            let odd: Vec<&Vec<u8>> = found[0].symmetric_difference(&found[1]).collect();
            let names: Vec<String> = odd.iter().map(|k| k.escape_ascii().to_string()).collect();
            let history = self.history.about(odd.iter().map(|key| key.as_slice()));
            let shown = format!("  {text}\n    only one of them has {}", names.join(" "));
            self.report("SCAN".into(), &shown, &history);
        }
        Ok(())
    }

    /// Takes a value from each to the other.
    fn carry(&mut self, key: &[u8]) -> Result<(), String> {
        const CARRIED: &[u8] = b"carried";
        let mut dumps = Vec::new();
        for side in &mut self.sides {
            let dump = side.main.call(&[b"DUMP", key]);
            dumps.push(side.named(dump)?);
        }
        self.sent += 1;
        let payloads: Vec<&[u8]> = dumps.iter().filter_map(Value::text).collect();
        let mut found = Vec::new();
        // Crosswise.
        for (side, payload) in self.sides.iter_mut().zip(payloads.iter().rev()) {
            let restored = side.main.call(&[b"RESTORE", CARRIED, b"0", payload, b"REPLACE"]);
            let got = [side.named(restored)?, {
                let value = side.main.call(&[b"GET", CARRIED]);
                side.named(value)?
            }];
            let dump = side.main.call(&[b"DUMP", CARRIED]);
            found.push((got, side.named(dump)?.text().is_some()));
        }
        self.sent += 3;
        let both = payloads.len() == found.len() && payloads.len() != 1;
        if self.tainted || both && (found.is_empty() || found[0] == found[1]) {
            return Ok(());
        }
        let shown = format!(
            "  DUMP here and RESTORE there\n    ours    {}\n    theirs  {}\n    {found:?}",
            dumps[0], dumps[1]
        );
        let history = self.history.about(std::iter::once(key));
        self.report("DUMP".into(), &shown, &history);
        Ok(())
    }

    fn size(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + EXPIRED_GONE;
        loop {
            let mut sizes = Vec::new();
            for side in &mut self.sides {
                let reply = side.main.call(&["DBSIZE"]);
                sizes.push(side.named(reply)?);
            }
            self.sent += 1;
            if sizes[0] == sizes[1] {
                return Ok(());
            }
            // After a difference they need not agree.
            if self.tainted {
                return Ok(());
            }
            if Instant::now() > deadline {
                let shown = format!("  DBSIZE\n    ours    {}\n    theirs  {}", sizes[0], sizes[1]);
                let history = self.history.recent();
                self.report("DBSIZE".into(), &shown, &history);
                return Ok(());
            }
            sleep(Duration::from_millis(10));
        }
    }

    fn compare_state(&mut self) -> Result<(), String> {
        let [ours, theirs] = &mut self.sides;
        let found = state::differences(&mut ours.control, &mut theirs.control)
            .map_err(|e| format!("comparing the contents: {e}"))?;
        for difference in found {
            let key = difference.split('"').nth(1).unwrap_or_default().to_owned();
            let history = self.history.about(std::iter::once(key.as_bytes()));
            self.report("contents".into(), &format!("  {difference}"), &history);
        }
        Ok(())
    }

    fn summarise(&self, seed: u64, took: f64) {
        for (name, count) in &self.by_command {
            println!("  {count} differences of {name}");
        }
        for (name, count) in &self.explained {
            let reason = rules::RULES.iter().find(|rule| rule.name == *name).map(|r| r.reason);
            println!("  {count} explained, {name}: {}", reason.unwrap_or_default());
        }
        println!(
            "compat: {} commands of {} kinds, seed {seed}, {took:.1} s: {} differences, {} explained",
            self.sent,
            self.sent_by_command.len(),
            self.differences,
            self.explained.values().sum::<u64>(),
        );
    }
}
