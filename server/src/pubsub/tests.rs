//! The registry against a model, and what a mailbox does with a client that is too slow.

use super::*;
use crate::clients::{Client, Wish};
use bitmap_store::{Glob, Position, UnixMillis};
use resp::Protocol;
use std::collections::BTreeSet;
use std::sync::Arc;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const NO_LIMIT: Limit = Limit { hard_bytes: 0, soft_bytes: 0, soft_seconds: 0 };

fn client(id: u64) -> Arc<Client> {
    Arc::new(Client::new(id, String::new(), String::new(), false, NOW))
}

fn publish(pubsub: &PubSub, channel: &str, text: &str) {
    let (channel, text) = (channel.as_bytes(), text.as_bytes());
    pubsub.publish(Kind::Channel, channel, text, Position::default(), NO_LIMIT, NOW);
}

/// What is in a mailbox, one message a line, without lengths.
fn read(subscriptions: &Subscriptions) -> Vec<String> {
    let words = |letter: Letter| {
        let mut bytes = Vec::new();
        letter.write(&mut bytes);
        let text = String::from_utf8(bytes).expect("what was published is text");
        let words: Vec<&str> = text.split("\r\n").skip(2).step_by(2).collect();
        format!("{} {}", &text[..1], words.join(" "))
    };
    subscriptions.take_all().into_iter().map(words).collect()
}

#[test]
fn a_message_is_the_same_list_in_both_protocols_and_pushed_in_the_newer() {
    let pubsub = PubSub::default();
    let mut old = Subscriptions::new(&client(1), Protocol::Resp2);
    let mut new = Subscriptions::new(&client(2), Protocol::Resp3);
    for subscriptions in [&mut old, &mut new] {
        subscriptions.add(&pubsub, Kind::Channel, b"news");
        subscriptions.add(&pubsub, Kind::Pattern, b"n*");
        subscriptions.add(&pubsub, Kind::Pattern, b"[xyz]*");
    }
    assert_eq!(pubsub.receivers(Kind::Channel, b"news"), 4);
    publish(&pubsub, "news", "hello");
    assert_eq!(read(&old), ["* message news hello", "* pmessage n* news hello"]);
    assert_eq!(read(&new), ["> message news hello", "> pmessage n* news hello"]);
    old.add(&pubsub, Kind::Shard, b"news");
    assert_eq!(pubsub.receivers(Kind::Shard, b"news"), 1);
    pubsub.publish(Kind::Shard, b"news", b"x", Position::default(), NO_LIMIT, NOW);
    assert_eq!(read(&old), ["* smessage news x"]);
    assert!(!new.has_mail());
}

/// Random subscriptions, their ends and messages, beside sets of who listens to what.
#[test]
fn everybody_hears_what_the_model_says_in_the_order_of_publishing() {
    const CHANNELS: [&str; 5] = ["a", "b", "aa", "ab", "news"];
    const PATTERNS: [&str; 5] = ["*", "a*", "?", "[ab]", "nothing"];
    for seed in 0..40 {
        let mut random = crate::command::Random::from_seed(seed);
        let pubsub = PubSub::default();
        let clients: Vec<Arc<Client>> = (0..4).map(client).collect();
        let make = |client| Subscriptions::new(client, Protocol::Resp2);
        let mut real: Vec<Subscriptions> = clients.iter().map(make).collect();
        let mut model: Vec<BTreeSet<(bool, &str)>> = vec![BTreeSet::new(); 4];
        let mut expected: Vec<Vec<String>> = vec![Vec::new(); 4];
        for step in 0..300 {
            let who = random.below(4);
            let by_pattern = random.below(2) == 1;
            let name = if by_pattern { PATTERNS } else { CHANNELS }[random.below(5)];
            let kind = if by_pattern { Kind::Pattern } else { Kind::Channel };
            match random.below(10) {
                0..4 => {
                    real[who].add(&pubsub, kind, name.as_bytes());
                    model[who].insert((by_pattern, name));
                }
                4..6 => {
                    real[who].remove(&pubsub, kind, name.as_bytes());
                    model[who].remove(&(by_pattern, name));
                }
                6 => {
                    real[who].end(&pubsub);
                    model[who].clear();
                }
                _ => {
                    let channel = CHANNELS[random.below(5)];
                    let mut receivers = 0;
                    for (listens, heard) in model.iter().zip(&mut expected) {
                        for (by_pattern, name) in listens {
                            if *by_pattern && Glob::new(name.as_bytes()).matches(channel.as_bytes())
                            {
                                heard.push(format!("* pmessage {name} {channel} {step}"));
                                receivers += 1;
                            } else if !*by_pattern && *name == channel {
                                heard.push(format!("* message {channel} {step}"));
                                receivers += 1;
                            }
                        }
                    }
                    assert_eq!(pubsub.receivers(Kind::Channel, channel.as_bytes()), receivers);
                    publish(&pubsub, channel, &step.to_string());
                }
            }
            assert_eq!(real[who].count(Kind::Channel), model[who].len(), "seed {seed}");
            if random.below(20) == 0 {
                let expected = std::mem::take(&mut expected[who]);
                assert_eq!(read(&real[who]), expected, "seed {seed}, step {step}");
            }
        }
        for (real, expected) in real.iter().zip(&expected) {
            assert_eq!(read(real), *expected, "seed {seed}");
        }
        let named: BTreeSet<&str> = model
            .iter()
            .flatten()
            .filter(|(by_pattern, _)| !by_pattern)
            .map(|(_, name)| *name)
            .collect();
        let channels = pubsub.channels(Kind::Channel, None);
        let channels: Vec<&str> =
            channels.iter().map(|name| std::str::from_utf8(name).expect("text")).collect();
        assert_eq!(channels, named.into_iter().collect::<Vec<_>>(), "seed {seed}");
        real.iter_mut().for_each(|subscriptions| subscriptions.end(&pubsub));
        assert!(pubsub.is_idle());
        assert_eq!([Kind::Channel, Kind::Pattern].map(|kind| pubsub.len(kind)), [0, 0]);
    }
}

#[test]
fn a_mailbox_beyond_the_hard_limit_lets_go_of_everything_and_closes_its_client() {
    let pubsub = PubSub::default();
    let (slow, quick) = (client(1), client(2));
    let mut one = Subscriptions::new(&slow, Protocol::Resp2);
    let mut two = Subscriptions::new(&quick, Protocol::Resp2);
    one.add(&pubsub, Kind::Channel, b"a");
    two.add(&pubsub, Kind::Channel, b"a");
    let limit = Limit { hard_bytes: 10_000, soft_bytes: 0, soft_seconds: 0 };
    let mut count = 0;
    while slow.wished() == Wish::Run {
        pubsub.publish(Kind::Channel, b"a", &[b'x'; 900], Position::default(), limit, NOW);
        assert_eq!(two.take_all().len(), 1);
        count += 1;
    }
    assert!((9..=11).contains(&count), "{count}");
    assert!(!one.has_mail());
    assert_eq!((pubsub.closed(), quick.wished()), (1, Wish::Run));
    // Whatever comes until it has gone is dropped, and it is counted once.
    pubsub.publish(Kind::Channel, b"a", b"y", Position::default(), limit, NOW);
    assert!(!one.has_mail() && two.has_mail());
    assert_eq!(pubsub.closed(), 1);
}

#[test]
fn a_mailbox_beyond_the_soft_limit_is_closed_when_that_lasts() {
    let limit = Limit { hard_bytes: 0, soft_bytes: 1000, soft_seconds: 10 };
    let after = |seconds: u64| UnixMillis(NOW.0 + seconds * 1000);
    let pubsub = PubSub::default();
    let slow = client(1);
    let mut subscriptions = Subscriptions::new(&slow, Protocol::Resp2);
    subscriptions.add(&pubsub, Kind::Channel, b"a");
    let send =
        |now| pubsub.publish(Kind::Channel, b"a", &[b'x'; 600], Position::default(), limit, now);
    send(NOW);
    send(NOW);
    pubsub.close_slow(limit, after(10));
    assert_eq!(slow.wished(), Wish::Run);
    // It has caught up in between: the time begins anew.
    assert_eq!(subscriptions.take_all().len(), 2);
    pubsub.close_slow(limit, after(11));
    send(after(11));
    send(after(11));
    pubsub.close_slow(limit, after(21));
    assert_eq!(slow.wished(), Wish::Run);
    pubsub.close_slow(limit, after(22));
    assert_eq!((slow.wished(), pubsub.closed()), (Wish::Kill, 1));
}

#[test]
fn a_part_of_the_mail_is_taken_in_order_and_at_least_one() {
    let pubsub = PubSub::default();
    let mut subscriptions = Subscriptions::new(&client(1), Protocol::Resp2);
    subscriptions.add(&pubsub, Kind::Channel, b"a");
    for text in ["1", "2", "3"] {
        publish(&pubsub, "a", text);
    }
    assert_eq!(subscriptions.mailbox().take(0).len(), 1);
    assert_eq!(read(&subscriptions), ["* message a 2", "* message a 3"]);
    assert!(subscriptions.mailbox().take(100).is_empty());
}
