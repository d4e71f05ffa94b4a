//! What a pipelined request and a reply cost, beside the crate `redis-protocol`.
//!
//! `cargo bench -p resp`

use resp::{Decoder, Limits, Protocol, Reply, encode_request};
use std::hint::black_box;
use std::time::Instant;

const REQUESTS: usize = 10_000;
const ROUNDS: usize = 50;

fn best(mut work: impl FnMut()) -> f64 {
    let once = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos() as f64 / REQUESTS as f64
    };
    (0..ROUNDS).map(|_| once(&mut work)).fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut input = Vec::new();
    for n in 0..REQUESTS {
        let offset = (n * 7919).to_string();
        encode_request(
            &[b"SETBIT", b"trackist_active_2026-11-20", offset.as_bytes(), b"1"],
            &mut input,
        );
    }
    let mut decoder = Decoder::new(Limits::default());
    println!("| what | ns each |");
    println!("|---|---:|");
    let ours = best(|| {
        let mut rest = &input[..];
        while let Some(taken) = decoder.decode(rest).expect("it is well formed") {
            black_box(decoder.args(rest));
            rest = &rest[taken..];
        }
    });
    println!("| decode a SETBIT | {ours:.0} |");
    let peer = best(|| {
        let mut rest = &input[..];
        while let Ok(Some((frame, taken))) = redis_protocol::resp2::decode::decode_range(rest) {
            black_box(frame);
            rest = &rest[taken..];
        }
    });
    println!("| the same, redis-protocol's ranges | {peer:.0} |");
    let mut out = Vec::with_capacity(1 << 20);
    let encode = best(|| {
        out.clear();
        for n in 0..REQUESTS as i64 {
            Reply::Int(n & 1).encode(Protocol::Resp2, &mut out);
        }
        black_box(&out);
    });
    println!("| encode `:1` | {encode:.1} |");
}
