//! JSON as this program prints it: on one line, names as they are given.

use std::fmt;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Int(u64),
    Negative(i64),
    Float(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
    /// With names that are not known before.
    Map(Vec<(String, Json)>),
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Json::Int(number)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Json::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Json::Text(text)
    }
}

impl From<bool> for Json {
    fn from(yes: bool) -> Self {
        Json::Bool(yes)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Json::Null, Into::into)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(yes) => write!(f, "{yes}"),
            Json::Int(number) => write!(f, "{number}"),
            Json::Negative(number) => write!(f, "{number}"),
            // There is no other way to say that in JSON.
            Json::Float(number) if !number.is_finite() => f.write_str("null"),
            Json::Float(number) => write!(f, "{number:?}"),
            Json::Text(text) => quote(f, text),
            Json::Array(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Json::Object(fields) => object(f, fields.iter().map(|(name, value)| (*name, value))),
            Json::Map(fields) => object(f, fields.iter().map(|(name, value)| (&**name, value))),
        }
    }
}

fn object<'a>(
    f: &mut fmt::Formatter<'_>,
    fields: impl Iterator<Item = (&'a str, &'a Json)>,
) -> fmt::Result {
    f.write_str("{")?;
    for (i, (name, value)) in fields.enumerate() {
        f.write_str(if i > 0 { "," } else { "" })?;
        quote(f, name)?;
        write!(f, ":{value}")?;
    }
    f.write_str("}")
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            c if (c as u32) < 0x20 || c == '\u{7f}' => write!(f, "\\u{:04x}", c as u32)?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_json() {
        let value = Json::Object(vec![
            ("text", "a\"b\\c\n\u{1}é".into()),
            ("list", Json::Array(vec![1.into(), Json::Null, true.into(), Json::Float(0.5)])),
            ("map", Json::Map(vec![("k".into(), Json::Float(f64::NAN))])),
        ]);
        let wanted = r#"{"text":"a\"b\\c\n\u0001é","list":[1,null,true,0.5],"map":{"k":null}}"#;
        assert_eq!(value.to_string(), wanted);
    }
}
