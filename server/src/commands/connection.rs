//! The connection itself: greeting, protocol, database, end. What clients tell about themselves is in
//! `client`.

use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys, parse_int};
use crate::info;
use bitmap_store::Bytes;
use resp::{Protocol, Reply};

const GREETING: Flags = Flags::NOSCRIPT
    .or(Flags::LOADING)
    .or(Flags::STALE)
    .or(Flags::FAST)
    .or(Flags::NO_AUTH)
    .or(Flags::ALLOW_BUSY);

const LEAVING: Flags = GREETING.or(Flags::MULTI_OK).or(Flags::WHILE_SUBSCRIBED);

pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec::new("ping", -1, Flags::FAST.or(Flags::WHILE_SUBSCRIBED), Keys::none(), ping)
        .doc(Group::Connection, "1.0.0", "O(1)", "Ping the server")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    CommandSpec::new(
        "echo",
        2,
        Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        Keys::none(),
        echo,
    )
    .doc(Group::Connection, "1.0.0", "O(1)", "Echo the given string"),
    CommandSpec::new("auth", -2, GREETING, Keys::none(), auth).doc(
        Group::Connection,
        "1.0.0",
        "O(N) where N is the number of passwords defined for the user",
        "Authenticate to the server",
    ),
    CommandSpec::new("hello", -1, GREETING, Keys::none(), hello).doc(
        Group::Connection,
        "6.0.0",
        "O(1)",
        "Handshake with Redis",
    ),
    CommandSpec::new(
        "select",
        2,
        Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        Keys::none(),
        select,
    )
    .doc(
        Group::Connection,
        "1.0.0",
        "O(1)",
        "Change the selected database for the current connection",
    ),
    CommandSpec::new("quit", -1, LEAVING, Keys::none(), quit).doc(
        Group::Connection,
        "1.0.0",
        "O(1)",
        "Close the connection",
    ),
    CommandSpec::new("reset", 1, LEAVING, Keys::none(), reset).doc(
        Group::Connection,
        "6.2.0",
        "O(1)",
        "Reset the connection",
    ),
];

/// `PING [message]`
fn ping(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    match args.len() {
        // It must not look like a message.
        0 | 1 if cx.session.is_confined() => {
            let text = if args.is_empty() { b"".as_slice() } else { args.next()? };
            Ok(Reply::Array(vec![Reply::bulk("pong"), bulk(text)]))
        }
        0 => Ok(Reply::PONG),
        1 => Ok(bulk(args.next()?)),
        _ => Err(CommandError::arity("ping")),
    }
}

/// `ECHO message`
fn echo(_: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    Ok(bulk(args.next()?))
}

/// `AUTH [username] password`: there is one user, `default`, who needs no password.
fn auth(_: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    match args.len() {
        1 => Err(CommandError::text(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        )),
        2 => authenticate(args.next()?).map(|()| Reply::OK),
        _ => Err(CommandError::SYNTAX),
    }
}

fn authenticate(user: &[u8]) -> Result<(), CommandError> {
    if user == b"default" {
        return Ok(());
    }
    Err(CommandError::text("WRONGPASS invalid username-password pair or user is disabled."))
}

/// `HELLO [protover [AUTH username password] [SETNAME name]]`: nothing changes unless all is well.
fn hello(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let mut protocol = cx.session.protocol;
    if let Some(version) = args.peek() {
        protocol = match parse_int(version) {
            None => {
                return Err(CommandError::text(
                    "ERR Protocol version is not an integer or out of range",
                ));
            }
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(CommandError::text("NOPROTO unsupported protocol version")),
        };
        args.next()?;
    }
    let mut name = None;
    while let Some(option) = args.peek() {
        if args.len() >= 3 && args.keyword("AUTH") {
            authenticate(args.next()?)?;
            args.next()?;
        } else if args.len() >= 2 && args.keyword("SETNAME") {
            let wanted = args.next()?;
            super::client::check_name(wanted)?;
            name = Some(wanted);
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(CommandError::new(format!("ERR Syntax error in HELLO option '{option}'")));
        }
    }
    if let Some(name) = name {
        cx.session.client.names().name = name.to_vec();
    }
    cx.session.speak(protocol);
    let proto = if protocol == Protocol::Resp3 { 3 } else { 2 };
    let text = |text: &'static str| Reply::bulk(Bytes::from_static(text.as_bytes()));
    Ok(Reply::Map(vec![
        (text("server"), text("redis")),
        (text("version"), text(info::REDIS_VERSION)),
        (text("proto"), Reply::Int(proto)),
        (text("id"), Reply::Int(cx.session.client.id as i64)),
        (text("mode"), text("standalone")),
        (text("role"), text("master")),
        (text("modules"), Reply::Array(Vec::new())),
    ]))
}

/// `SELECT index`
fn select(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    cx.session.db = super::keys::parse_db(&mut args)?;
    Ok(Reply::OK)
}

/// `QUIT`: closes the connection after the reply.
fn quit(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    cx.session.close = true;
    Ok(Reply::OK)
}

/// `RESET`: the connection is as if new.
fn reset(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    cx.session.reset(&cx.server.pubsub);
    Ok(Reply::Status("RESET".into()))
}

fn bulk(bytes: &[u8]) -> Reply {
    Reply::bulk(Bytes::copy_from_slice(bytes))
}
