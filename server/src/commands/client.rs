//! CLIENT: what connections call themselves, listing and closing them, which replies they want.

use crate::clients::{Client, Wish};
use crate::command::{Args, CommandError, CommandSpec, Context, Flags, Group, Keys, parse_int};
use crate::session::ReplyMode;
use bitmap_store::Bytes;
use resp::Reply;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const ANY: Flags = Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE);
const ADMIN: Flags = ANY.or(Flags::ADMIN);

pub(super) const COMMANDS: &[CommandSpec] =
    &[CommandSpec::new("client", -2, Flags::NONE, Keys::none(), super::container)
        .doc(
            Group::Connection,
            "2.4.0",
            "Depends on subcommand.",
            "A container for client connection commands",
        )
        .subcommands(SUBCOMMANDS)];

const SUBCOMMANDS: &[CommandSpec] = &[
    CommandSpec::new("getname", 2, ANY, Keys::none(), get_name).doc(
        Group::Connection,
        "2.6.9",
        "O(1)",
        "Get the current connection name",
    ),
    CommandSpec::new("help", 2, Flags::LOADING.or(Flags::STALE), Keys::none(), help).doc(
        Group::Connection,
        "5.0.0",
        "O(1)",
        "Show helpful text about the different subcommands",
    ),
    CommandSpec::new("id", 2, ANY, Keys::none(), id).doc(
        Group::Connection,
        "5.0.0",
        "O(1)",
        "Returns the client ID for the current connection",
    ),
    CommandSpec::new("info", 2, ANY, Keys::none(), info)
        .doc(
            Group::Connection,
            "6.2.0",
            "O(1)",
            "Returns information about the current client connection.",
        )
        .tips(&["nondeterministic_output"]),
    CommandSpec::new("kill", -3, ADMIN, Keys::none(), kill).doc(
        Group::Connection,
        "2.4.0",
        "O(N) where N is the number of client connections",
        "Kill the connection of a client",
    ),
    CommandSpec::new("list", -2, ADMIN, Keys::none(), list)
        .doc(
            Group::Connection,
            "2.4.0",
            "O(N) where N is the number of client connections",
            "Get the list of client connections",
        )
        .tips(&["nondeterministic_output"]),
    CommandSpec::new("no-evict", 3, ADMIN, Keys::none(), no_evict).doc(
        Group::Connection,
        "7.0.0",
        "O(1)",
        "Set client eviction mode for the current connection",
    ),
    CommandSpec::new("no-touch", 3, ANY, Keys::none(), no_touch).doc(
        Group::Connection,
        "7.2.0",
        "O(1)",
        "Controls whether commands sent by the client affect the LRU/LFU of accessed keys",
    ),
    CommandSpec::new("reply", 3, ANY, Keys::none(), reply).doc(
        Group::Connection,
        "3.2.0",
        "O(1)",
        "Instruct the server whether to reply to commands",
    ),
    CommandSpec::new("setinfo", 4, ANY, Keys::none(), set_info).doc(
        Group::Connection,
        "7.2.0",
        "O(1)",
        "Set client or connection specific info",
    ),
    CommandSpec::new("setname", 3, ANY, Keys::none(), set_name).doc(
        Group::Connection,
        "2.6.9",
        "O(1)",
        "Set the current connection name",
    ),
];

/// `CLIENT ID`
fn id(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(Reply::Int(cx.session.client.id as i64))
}

/// `CLIENT GETNAME`: null without a name.
fn get_name(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    let names = cx.session.client.names();
    if names.name.is_empty() {
        return Ok(Reply::Null);
    }
    Ok(Reply::bulk(Bytes::copy_from_slice(&names.name)))
}

/// `CLIENT SETNAME name`: an empty name is none.
fn set_name(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let name = args.next()?;
    check_name(name)?;
    cx.session.client.names().name = name.to_vec();
    Ok(Reply::OK)
}

/// A name may not break the lines of `CLIENT LIST`.
pub(super) fn check_name(name: &[u8]) -> Result<(), CommandError> {
    if name.iter().all(u8::is_ascii_graphic) {
        return Ok(());
    }
    Err(CommandError::text(
        "ERR Client names cannot contain spaces, newlines or special characters.",
    ))
}

/// `CLIENT SETINFO LIB-NAME name` or `LIB-VER version`
fn set_info(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    let attribute = args.next()?;
    let value = args.next()?;
    let is_name = attribute.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !attribute.eq_ignore_ascii_case(b"lib-ver") {
        let attribute = String::from_utf8_lossy(attribute);
        return Err(CommandError::new(format!("ERR Unrecognized option '{attribute}'")));
    }
    if !value.iter().all(u8::is_ascii_graphic) {
        let attribute = if is_name { "lib-name" } else { "lib-ver" };
        return Err(CommandError::new(format!(
            "ERR {attribute} cannot contain spaces, newlines or special characters."
        )));
    }
    let mut names = cx.session.client.names();
    let field = if is_name { &mut names.lib_name } else { &mut names.lib_ver };
    *field = value.to_vec();
    Ok(Reply::OK)
}

/// `CLIENT INFO`
fn info(cx: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    cx.session.publish(cx.now, 0, 0);
    let mut text = Vec::new();
    cx.session.client.describe(cx.now, &mut text);
    text.push(b'\n');
    Ok(verbatim(text))
}

/// `CLIENT LIST [TYPE type] [ID id …]`
fn list(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    cx.session.publish(cx.now, 0, 0);
    let mut wanted: Box<dyn Fn(&Client) -> bool> = Box::new(|_| true);
    if args.len() == 2 && args.keyword("TYPE") {
        let kind = parse_kind(args.next()?)?;
        wanted = Box::new(move |client| kind.has(client));
    } else if args.len() >= 2 && args.keyword("ID") {
        let ids = args
            .rest()
            .map(parse_int)
            .collect::<Option<Vec<i64>>>()
            .ok_or(CommandError::text("ERR Invalid client ID"))?;
        wanted = Box::new(move |client| ids.contains(&(client.id as i64)));
    } else if !args.is_empty() {
        return Err(CommandError::SYNTAX);
    }
    let mut text = Vec::new();
    for client in cx.server.clients.all() {
        if wanted(&client) {
            client.describe(cx.now, &mut text);
            text.push(b'\n');
        }
    }
    Ok(verbatim(text))
}

/// A type of client.
#[derive(Clone, Copy)]
enum ClientKind {
    Normal,
    PubSub,
    /// A master or a replica, which nobody is here.
    Replication,
}

impl ClientKind {
    fn has(self, client: &Client) -> bool {
        match self {
            ClientKind::Normal => !client.is_subscriber(),
            ClientKind::PubSub => client.is_subscriber(),
            ClientKind::Replication => false,
        }
    }
}

fn parse_kind(kind: &[u8]) -> Result<ClientKind, CommandError> {
    match kind.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(ClientKind::Normal),
        b"pubsub" => Ok(ClientKind::PubSub),
        b"master" | b"replica" | b"slave" => Ok(ClientKind::Replication),
        _ => {
            let kind = String::from_utf8_lossy(kind);
            Err(CommandError::new(format!("ERR Unknown client type '{kind}'")))
        }
    }
}

/// Which clients `CLIENT KILL` closes.
#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    kind: Option<ClientKind>,
    max_age_seconds: Option<u64>,
    skip_me: bool,
}

/// `CLIENT KILL addr`, or `CLIENT KILL [ID id] [ADDR addr] [LADDR addr] [TYPE type] [USER name]
/// [SKIPME yes|no] [MAXAGE seconds]`, which answers how many were closed.
fn kill(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    if args.len() == 1 {
        let filter = Filter { addr: Some(args.next()?), ..Filter::default() };
        return match kill_all(cx, &filter) {
            0 => Err(CommandError::text("ERR No such client")),
            _ => Ok(Reply::OK),
        };
    }
    let mut filter = Filter { skip_me: true, ..Filter::default() };
    while !args.is_empty() {
        if args.len() < 2 {
            return Err(CommandError::SYNTAX);
        }
        if args.keyword("ID") {
            let id = parse_int(args.next()?).and_then(|id| u64::try_from(id).ok());
            let id = id.filter(|&id| id > 0);
            filter.id =
                Some(id.ok_or(CommandError::text("ERR client-id should be greater than 0"))?);
        } else if args.keyword("ADDR") {
            filter.addr = Some(args.next()?);
        } else if args.keyword("LADDR") {
            filter.laddr = Some(args.next()?);
        } else if args.keyword("TYPE") {
            filter.kind = Some(parse_kind(args.next()?)?);
        } else if args.keyword("USER") {
            let user = args.next()?;
            if user != b"default" {
                let user = String::from_utf8_lossy(user);
                return Err(CommandError::new(format!("ERR No such user '{user}'")));
            }
        } else if args.keyword("SKIPME") {
            filter.skip_me = match args.next()? {
                yes if yes.eq_ignore_ascii_case(b"yes") => true,
                no if no.eq_ignore_ascii_case(b"no") => false,
                _ => return Err(CommandError::SYNTAX),
            };
        } else if args.keyword("MAXAGE") {
            filter.max_age_seconds = Some(args.uint()?);
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok(Reply::Int(kill_all(cx, &filter) as i64))
}

fn kill_all(cx: &mut Context<'_>, filter: &Filter<'_>) -> usize {
    let own = cx.session.client.id;
    let now = cx.now;
    let chosen = |client: &Arc<Client>| {
        !(filter.skip_me && client.id == own)
            && filter.id.is_none_or(|id| id == client.id)
            && filter.addr.is_none_or(|addr| addr == client.addr.as_bytes())
            && filter.laddr.is_none_or(|laddr| laddr == client.laddr.as_bytes())
            && filter.kind.is_none_or(|kind| kind.has(client))
            && filter
                .max_age_seconds
                .is_none_or(|age| now.0.saturating_sub(client.connected_at.0) / 1000 >= age)
    };
    let clients = cx.server.clients.all();
    let mut count = 0;
    for client in clients.iter().filter(|client| chosen(client)) {
        count += 1;
        if client.id == own {
            // Its own reply still goes out.
            cx.session.close = true;
        } else {
            client.wish(Wish::Kill);
        }
    }
    count
}

/// `CLIENT NO-EVICT ON|OFF`: nothing is ever evicted here; it is remembered for `CLIENT LIST`.
fn no_evict(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    cx.session.client.view.no_evict.store(on_or_off(args)?, Ordering::Relaxed);
    Ok(Reply::OK)
}

/// `CLIENT NO-TOUCH ON|OFF`: it is remembered for `CLIENT LIST`.
fn no_touch(cx: &mut Context<'_>, args: Args<'_>) -> Result<Reply, CommandError> {
    cx.session.client.view.no_touch.store(on_or_off(args)?, Ordering::Relaxed);
    Ok(Reply::OK)
}

fn on_or_off(mut args: Args<'_>) -> Result<bool, CommandError> {
    if args.keyword("ON") {
        Ok(true)
    } else if args.keyword("OFF") {
        Ok(false)
    } else {
        Err(CommandError::SYNTAX)
    }
}

/// `CLIENT REPLY ON|OFF|SKIP`
fn reply(cx: &mut Context<'_>, mut args: Args<'_>) -> Result<Reply, CommandError> {
    if args.keyword("ON") {
        cx.session.reply_mode = ReplyMode::On;
        return Ok(Reply::OK);
    }
    if args.keyword("OFF") {
        cx.session.reply_mode = ReplyMode::Off;
    } else if args.keyword("SKIP") {
        if cx.session.reply_mode != ReplyMode::Off {
            cx.session.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(CommandError::SYNTAX);
    }
    Ok(Reply::None)
}

/// `CLIENT HELP`
fn help(_: &mut Context<'_>, _: Args<'_>) -> Result<Reply, CommandError> {
    Ok(super::help(
        "CLIENT",
        &[
            "GETNAME",
            "    Return the name of the current connection.",
            "ID",
            "    Return the ID of the current connection.",
            "INFO",
            "    Return information about the current client connection.",
            "KILL <ip:port>",
            "    Kill connection made from <ip:port>.",
            "KILL <option> <value> [<option> <value> [...]]",
            "    Kill connections. Options are:",
            "    * ADDR (<ip:port>|<unixsocket>:0)",
            "      Kill connections made from the specified address",
            "    * LADDR (<ip:port>|<unixsocket>:0)",
            "      Kill connections made to specified local address",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      Kill connections by type.",
            "    * USER <username>",
            "      Kill connections authenticated by <username>.",
            "    * SKIPME (YES|NO)",
            "      Skip killing current connection (default: yes).",
            "    * ID <client-id>",
            "      Kill connections by client id.",
            "    * MAXAGE <maxage>",
            "      Kill connections older than the specified age.",
            "LIST [options ...]",
            "    Return information about client connections. Options:",
            "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
            "      Return clients of specified type.",
            "REPLY (ON|OFF|SKIP)",
            "    Control the replies sent to the current connection.",
            "SETNAME <name>",
            "    Assign the name <name> to the current connection.",
            "SETINFO <option> <value>",
            "    Set client meta attr. Options are:",
            "    * LIB-NAME: the client lib name.",
            "    * LIB-VER: the client lib version.",
            "NO-EVICT (ON|OFF)",
            "    Protect current client connection from eviction.",
            "NO-TOUCH (ON|OFF)",
            "    Will not touch LRU/LFU stats when this mode is on.",
        ],
    ))
}

fn verbatim(text: Vec<u8>) -> Reply {
    Reply::Verbatim { format: *b"txt", text: Bytes::from(text) }
}
