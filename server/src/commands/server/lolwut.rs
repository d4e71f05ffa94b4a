//! `LOLWUT`: a picture, as Redis shows one. Ours is a bitmap, drawn in Braille, where a letter has eight
//! dots as a byte has eight bits.

use crate::command::{Args, CommandError, Context, parse_int};
use bitmap_store::Bytes;
use resp::Reply;

const WIDTH: u32 = 64;
const HEIGHT: u32 = 64;

const SIGNATURE: &str = concat!(
    "\nThe coordinates that have no bit in common: BITOP AND is empty. bitmapistd ver. ",
    env!("CARGO_PKG_VERSION"),
    "\n"
);

/// `LOLWUT [VERSION version] [argument …]`: there is one picture, whatever is asked for.
pub(super) fn lolwut(_: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    if args.len() >= 2 && args.keyword("VERSION") {
        parse_int(args.next()?).ok_or(CommandError::NOT_INTEGER)?;
    }
    let text = drawn(WIDTH, HEIGHT, |x, y| x & y == 0) + SIGNATURE;
    Ok(Reply::Verbatim { format: *b"txt", text: Bytes::from(text) })
}

/// A picture of `is_set`, two dots by four to a letter.
fn drawn(width: u32, height: u32, is_set: impl Fn(u32, u32) -> bool) -> String {
    // The bits of a letter of Unicode's Braille, row by row.
    const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    let mut text = String::new();
    for top in (0..height).step_by(4) {
        for left in (0..width).step_by(2) {
            let dots = (0..4).flat_map(|y| (0..2).map(move |x| (x, y)));
            let letter = dots
                .filter(|&(x, y)| is_set(left + x, top + y))
                .fold(0x2800, |letter, (x, y)| letter | DOTS[y as usize][x as usize]);
            text.extend(char::from_u32(letter));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_where_the_bits_are() {
        assert_eq!(drawn(4, 4, |_, _| true), "⣿⣿\n");
        assert_eq!(drawn(2, 8, |x, y| (x, y) == (1, 0) || (x, y) == (0, 7)), "⠈\n⡀\n");
    }
}
