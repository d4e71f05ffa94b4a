//! What Redis calls types and encodings.

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A string of bytes; a bitmap is one, too.
    String,
}

impl Kind {
    /// The name that `TYPE` answers.
    pub const fn text(self) -> &'static str {
        match self {
            Kind::String => "string",
        }
    }
}

/// How a value is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// A string that is an integer.
    Int,
    /// A short string.
    Embstr,
    /// A long string, or one that was changed in place.
    Raw,
    /// A compressed bitmap.
    Bitmap,
}

impl Encoding {
    /// The name that `OBJECT ENCODING` answers. Redis knows no bitmaps: to it they are raw strings.
    pub const fn text(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw | Encoding::Bitmap => "raw",
        }
    }
}
