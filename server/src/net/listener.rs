//! Listening, and admitting connections up to a bound.

use super::address;
use super::connection::Connection;
use crate::clients::Client;
use crate::clock;
use crate::shared::Shared;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

/// Connections that the system keeps for us until we accept them.
const BACKLOG: u32 = 1024;

/// Sockets that are bound and not served yet.
pub(crate) struct Bound {
    tcp: Vec<TcpListener>,
    unix: Option<(UnixListener, PathBuf)>,
}

/// A socket that could not be had.
#[derive(Debug)]
pub(crate) struct BindError {
    pub what: String,
    pub source: io::Error,
}

/// Binds what the configuration asks for. Needs a runtime to be entered.
pub(crate) fn bind(addr: &str, unixsocket: Option<&Path>) -> Result<Bound, BindError> {
    let mut tcp = Vec::new();
    if !addr.is_empty() {
        let failed = |source| BindError { what: addr.to_owned(), source };
        let wanted = address::resolve(addr).map_err(failed)?;
        let first = bind_first(&wanted.any_of).map_err(failed)?;
        let port = first.local_addr().map_err(failed)?.port();
        tcp.push(first);
        // A machine without IPv6 is no reason not to start.
        tcp.extend(wanted.extra.and_then(|ip| listen(SocketAddr::new(ip, port)).ok()));
    }
    let unix = match unixsocket {
        None => None,
        Some(path) => {
            let failed = |source| BindError { what: path.display().to_string(), source };
            Some((bind_unix(path).map_err(failed)?, path.to_owned()))
        }
    };
    Ok(Bound { tcp, unix })
}

fn bind_first(addrs: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for &addr in addrs {
        match listen(addr) {
            Ok(listener) => return Ok(listener),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Err(e),
            Err(e) => failure = e,
        }
    }
    Err(failure)
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit both.
    socket.set_keepalive(true)?;
    socket.set_nodelay(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// A socket file that nobody listens on any more is replaced.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse && is_socket(path) => {
            match std::os::unix::net::UnixStream::connect(path) {
                Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => {}
                _ => return Err(e),
            }
            remove_socket(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

#[allow(clippy::disallowed_methods)] // a socket, not a file of the store
fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[allow(clippy::disallowed_methods)] // a socket, not a file of the store
fn remove_socket(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

impl Bound {
    /// The TCP addresses, ports chosen by the system included.
    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        self.tcp.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until shutdown is asked for. Needs a runtime to be entered.
    pub(crate) fn serve(self, server: &Arc<Shared>) {
        for listener in self.tcp {
            tokio::spawn(accept_tcp(listener, Arc::clone(server)));
        }
        if let Some((listener, path)) = self.unix {
            tokio::spawn(accept_unix(listener, path, Arc::clone(server)));
        }
    }
}

async fn accept_tcp(listener: TcpListener, server: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.shutdown.asked() => return,
        };
        match accepted {
            Ok((stream, addr)) => admit_tcp(stream, addr, &server),
            Err(e) => pause_after(&e).await,
        }
    }
}

async fn accept_unix(listener: UnixListener, path: PathBuf, server: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.shutdown.asked() => break,
        };
        match accepted {
            Ok((stream, _)) => admit_unix(stream, &path, &server),
            Err(e) => pause_after(&e).await,
        }
    }
    let _ = remove_socket(&path);
}

/// Out of file descriptors, most likely: trying again at once would only burn a core.
async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

fn admit_tcp(stream: TcpStream, addr: SocketAddr, server: &Arc<Shared>) {
    let laddr = stream.local_addr().map(|addr| addr.to_string()).unwrap_or_default();
    // An inherited option on most systems, and cheap to make sure of.
    let _ = stream.set_nodelay(true);
    admit(stream, addr.to_string(), laddr, false, server);
}

fn admit_unix(stream: UnixStream, path: &Path, server: &Arc<Shared>) {
    let addr = format!("{}:0", path.display());
    admit(stream, addr.clone(), addr, true, server);
}

fn admit<S>(mut stream: S, addr: String, laddr: String, unix: bool, server: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let server = Arc::clone(server);
    if server.clients.len() >= server.settings.maxclients() {
        server.stats.rejected_connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let refusal = stream.write_all(b"-ERR max number of clients reached\r\n");
            let _ = tokio::time::timeout(Duration::from_secs(1), refusal).await;
        });
        return;
    }
    server.stats.connections.fetch_add(1, Ordering::Relaxed);
    let id = server.clients.next_id();
    let client = Arc::new(Client::new(id, addr, laddr, unix, clock::now()));
    server.clients.add(Arc::clone(&client));
    tracing::debug!(id, addr = client.addr, "client connected");
    tokio::spawn(Connection::new(stream, client, server).run());
}
