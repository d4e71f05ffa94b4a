//! Requests written straight into the output buffer: the client must cost less than the servers.

use crate::random::Random;
use crate::wire::encode;

/// Appends requests to a buffer.
pub type Maker<'a> = Box<dyn FnMut(&mut Vec<u8>) + 'a>;

/// What is sent over and over.
pub struct Requests<'a> {
    pub make: Maker<'a>,
    /// Replies to one.
    pub replies: u32,
}

impl<'a> Requests<'a> {
    pub fn new(replies: u32, make: impl FnMut(&mut Vec<u8>) + 'a) -> Self {
        Requests { make: Box::new(make), replies }
    }
}

/// Bits are set at random below this, in one of a few keys.
const OFFSETS: u64 = 1_000_000;
const BITMAPS: u64 = 8;
/// Keys of `SET` and `GET`.
pub const KEYS: u64 = 100_000;

/// A command of which only numbers change: `SETBIT key:# # 1` has one part per `#`.
struct Template {
    parts: Vec<Vec<u8>>,
}

/// `#` in an argument stands for a number that is padded to this, so that lengths are known.
const DIGITS: usize = 8;

impl Template {
    fn new(commands: &[&str]) -> Self {
        let mut bytes = Vec::new();
        for command in commands {
            let args: Vec<String> = command
                .split(' ')
                .map(|arg| arg.replace('#', &"#".repeat(DIGITS)).replace('·', " "))
                .collect();
            encode(&args, &mut bytes);
        }
        let text = String::from_utf8(bytes).expect("templates are text");
        let parts = text.split(&"#".repeat(DIGITS)).map(|part| part.as_bytes().to_vec()).collect();
        Template { parts }
    }

    fn write(&self, numbers: &[u64], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.parts[0]);
        for (part, number) in self.parts[1..].iter().zip(numbers) {
            // First digit never 0: Redis takes no offset with leading zeros.
            let mut digits = [b'0'; DIGITS];
            let mut rest = *number;
            for digit in digits.iter_mut().rev() {
                *digit += (rest % 10) as u8;
                rest /= 10;
            }
            out.extend_from_slice(&digits);
            out.extend_from_slice(part);
        }
    }
}

/// Makes eight digits of a number below 9 × 10^7.
fn padded(number: u64) -> u64 {
    10_000_000 + number
}

pub fn setbit<'a>(seed: u64) -> Requests<'a> {
    let template = Template::new(&["SETBIT active:# # 1"]);
    let mut random = Random::new(seed);
    Requests::new(1, move |out| {
        template.write(&[random.below(BITMAPS), padded(random.below(OFFSETS))], out);
    })
}

pub fn getbit<'a>(seed: u64) -> Requests<'a> {
    let template = Template::new(&["GETBIT active:# #"]);
    let mut random = Random::new(seed);
    Requests::new(1, move |out| {
        template.write(&[random.below(BITMAPS), padded(random.below(OFFSETS))], out);
    })
}

pub fn set<'a>(seed: u64) -> Requests<'a> {
    let template = Template::new(&["SET key:# value-of-16-byte"]);
    let mut random = Random::new(seed);
    Requests::new(1, move |out| template.write(&[random.below(KEYS)], out))
}

pub fn get<'a>(seed: u64) -> Requests<'a> {
    let template = Template::new(&["GET key:#"]);
    let mut random = Random::new(seed);
    Requests::new(1, move |out| template.write(&[random.below(KEYS)], out))
}

/// A mark of bitmapist with hours, as redis-py sends it: one write.
pub fn mark<'a>(seed: u64) -> Requests<'a> {
    let template = Template::new(&[
        "MULTI",
        "SETBIT trackist_song:play_2026-11 # 1",
        "SETBIT trackist_song:play_W2026-47 # 1",
        "SETBIT trackist_song:play_2026-11-20 # 1",
        "SETBIT trackist_song:play_2026-11-20-14 # 1",
        "EXEC",
    ]);
    let mut random = Random::new(seed);
    Requests::new(6, move |out| {
        let id = padded(random.below(OFFSETS));
        template.write(&[id; 4], out);
    })
}

/// Commands apart by `; `, their words by spaces (`·` is one within a word), in which each `#` is a number below `below`.
pub fn numbered<'a>(commands: &str, below: u64, seed: u64) -> Requests<'a> {
    let commands: Vec<&str> = commands.split("; ").collect();
    let numbers = commands.iter().map(|command| command.matches('#').count()).sum();
    let (template, mut random) = (Template::new(&commands), Random::new(seed));
    let mut drawn = vec![0; numbers];
    Requests::new(commands.len() as u32, move |out| {
        drawn.fill_with(|| random.below(below));
        template.write(&drawn, out);
    })
}

/// Any command, one after the other.
pub fn each<'a, A: AsRef<[u8]>>(commands: impl IntoIterator<Item = Vec<A>> + 'a) -> Requests<'a> {
    let mut commands = commands.into_iter();
    Requests::new(1, move |out| {
        if let Some(command) = commands.next() {
            encode(&command, out);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_the_command_with_its_numbers() {
        let mut out = Vec::new();
        Template::new(&["PING", "SETBIT a:# # 1"]).write(&[5, padded(7)], &mut out);
        let mut expected = Vec::new();
        encode(&["PING"], &mut expected);
        encode(&["SETBIT", "a:00000005", "10000007", "1"], &mut expected);
        assert_eq!(out, expected);
    }
}
