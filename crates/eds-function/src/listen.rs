//! Addresses as Go writes them: `:9443` is every interface, IPv6 and IPv4.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted. A client that finds no room retries after a
/// second. The same as Go requests; the kernel lowers it to its own limit (`net.core.somaxconn`).
const BACKLOG: i32 = 65_535;

/// Which IP versions to listen on: Go's network names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Network {
    /// IPv6 and IPv4.
    Tcp,
    /// IPv4 only.
    Tcp4,
    /// IPv6 only.
    Tcp6,
}

/// Listens at `address`: `HOST:PORT`, `:PORT`, or port 0 for a free one. The listener does not
/// block.
///
/// # Errors
/// The address does not parse or resolve, or the system refuses it.
pub fn listen(network: Network, address: &str) -> io::Result<TcpListener> {
    let mut error = None;
    for address in resolve(network, address)? {
        match bind(network, address) {
            Ok(listener) => return Ok(listener),
            Err(refused) => error = Some(refused),
        }
    }
    Err(error.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::AddrNotAvailable, "no address of this network")
    }))
}

/// Returns the addresses to try, best first.
fn resolve(network: Network, address: &str) -> io::Result<Vec<SocketAddr>> {
    let allowed = |address: &SocketAddr| match network {
        Network::Tcp => true,
        Network::Tcp4 => address.is_ipv4(),
        Network::Tcp6 => address.is_ipv6(),
    };
    let addresses: Vec<SocketAddr> = match address.strip_prefix(':') {
        Some(port) => {
            let port = port.parse().map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidInput, format!("{port:?} is not a port"))
            })?;
            // Dual-stack first; without IPv6 in the kernel, IPv4.
            vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]
        }
        None => address.to_socket_addrs()?.collect(),
    };
    Ok(addresses.into_iter().filter(allowed).collect())
}

fn bind(network: Network, address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(network == Network::Tcp6)?;
    }
    // A restarted function must not wait for its predecessor's connections to time out.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_go_reads_them() {
        let check = |network, address: &str, expect: &[&str]| {
            let found: Vec<String> = resolve(network, address)
                .map(|list| list.iter().map(ToString::to_string).collect())
                .unwrap_or_else(|error| vec![error.kind().to_string()]);
            assert_eq!(found, expect, "{address}");
        };
        check(Network::Tcp, ":9443", &["[::]:9443", "0.0.0.0:9443"]);
        check(Network::Tcp4, ":9443", &["0.0.0.0:9443"]);
        check(Network::Tcp6, ":9443", &["[::]:9443"]);
        check(Network::Tcp, "127.0.0.1:0", &["127.0.0.1:0"]);
        check(Network::Tcp6, "127.0.0.1:0", &[]);
        check(Network::Tcp, "[::1]:80", &["[::1]:80"]);
        check(Network::Tcp, ":http", &["invalid input parameter"]);
        check(Network::Tcp, ":65536", &["invalid input parameter"]);
        check(Network::Tcp, "127.0.0.1", &["invalid input parameter"]);
    }

    #[tokio::test]
    async fn every_interface_means_ipv4_too() {
        let listener = listen(Network::Tcp, ":0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("IPv4 connects");
    }
}
