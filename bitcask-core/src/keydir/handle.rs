//! Four bytes that name a node or a leaf.

/// Greatest index in an arena.
pub(super) const MAX_INDEX: u32 = (1 << 28) - 1;

/// What a handle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    None,
    Node4,
    Node16,
    Node48,
    Node256,
    /// A leaf in the arena of this number.
    Leaf(u8),
}

/// A kind (4 bits) and an index into its arena (28 bits). The default names nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Handle(u32);

impl Handle {
    pub(super) const NONE: Handle = Handle(0);

    pub(super) fn node(kind: Kind, index: u32) -> Self {
        let tag = match kind {
            Kind::Node4 => 1,
            Kind::Node16 => 2,
            Kind::Node48 => 3,
            Kind::Node256 => 4,
            Kind::None | Kind::Leaf(_) => unreachable!("not a node"),
        };
        Handle(tag << 28 | index)
    }

    pub(super) fn leaf(class: usize, index: u32) -> Self {
        Handle((class as u32 + 5) << 28 | index)
    }

    pub(super) fn kind(self) -> Kind {
        match self.0 >> 28 {
            0 => Kind::None,
            1 => Kind::Node4,
            2 => Kind::Node16,
            3 => Kind::Node48,
            4 => Kind::Node256,
            tag => Kind::Leaf(tag as u8 - 5),
        }
    }

    pub(super) fn index(self) -> u32 {
        self.0 & MAX_INDEX
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) fn is_leaf(self) -> bool {
        self.0 >> 28 >= 5
    }
}
