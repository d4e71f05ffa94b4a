//! What `--addr` means: which socket addresses to listen on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// One address that must be had, and one that is welcome.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The first of these that can be bound.
    pub any_of: Vec<SocketAddr>,
    /// Bound too where possible, at the same port.
    pub extra: Option<IpAddr>,
}

/// Reads `HOST:PORT`, `:PORT` or `[V6]:PORT`; names are looked up.
pub(super) fn resolve(addr: &str) -> io::Result<Wanted> {
    let bad = || io::Error::new(io::ErrorKind::InvalidInput, "an address is HOST:PORT or :PORT");
    let (host, port) = addr.rsplit_once(':').ok_or_else(bad)?;
    let port: u16 = port.parse().map_err(|_| bad())?;
    let at = |ip: IpAddr| SocketAddr::new(ip, port);
    if host.is_empty() || host == "*" {
        // The first serves both families where the system has both.
        let any_of = vec![at(Ipv6Addr::UNSPECIFIED.into()), at(Ipv4Addr::UNSPECIFIED.into())];
        return Ok(Wanted { any_of, extra: None });
    }
    if host == "localhost" {
        let any_of = vec![at(Ipv4Addr::LOCALHOST.into())];
        return Ok(Wanted { any_of, extra: Some(Ipv6Addr::LOCALHOST.into()) });
    }
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let any_of: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    if any_of.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
    }
    Ok(Wanted { any_of, extra: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_as_people_write_them() {
        let first = |addr: &str| resolve(addr).map(|wanted| wanted.any_of[0].to_string()).ok();
        assert_eq!(first("localhost:6379").as_deref(), Some("127.0.0.1:6379"));
        assert_eq!(first("127.0.0.1:0").as_deref(), Some("127.0.0.1:0"));
        assert_eq!(first(":6379").as_deref(), Some("[::]:6379"));
        assert_eq!(first("[::1]:6379").as_deref(), Some("[::1]:6379"));
        for bad in ["", "6379", "localhost", "localhost:", "localhost:70000", "localhost:x"] {
            assert_eq!(first(bad), None, "{bad}");
        }
    }
}
