//! Web browsers that are made to talk to a database: a page can let them send it a form.
//!
//! What they send is HTTP, whose lines are read as commands. Redis hangs up on the first such line, before
//! those of the form come to be run.

use crate::clients::Client;
use crate::shared::Shared;
use bitmap_store::UnixMillis;

/// Whether the request is a line of HTTP.
pub(super) fn is_http(request: resp::Args<'_>) -> bool {
    let name = request.get(0).unwrap_or_default();
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Logs that `client` speaks HTTP, unless that was said within the last minute.
pub(super) fn warn(server: &Shared, client: &Client, now: UnixMillis) {
    if server.http_warned.is_due(now) {
        tracing::warn!(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands \
             to bitmapistd. This is likely due to an attacker attempting to use Cross Protocol Scripting \
             to compromise your instance. Connection from {} aborted.",
            client.addr
        );
    }
}
