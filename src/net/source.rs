//! The way out of this host: source address and interface, as the user chose them.

use std::ffi::CString;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use socket2::Socket;

/// Where packets leave from. The default lets the kernel choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Source address; ignored for targets of the other family.
    pub addr: Option<IpAddr>,
    /// Interface by name.
    pub device: Option<String>,
}

impl Source {
    /// Applies the choice to a fresh socket of the family `v6`.
    pub fn apply(&self, socket: &Socket, v6: bool) -> std::io::Result<()> {
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        match self.addr {
            Some(addr) if addr.is_ipv6() == v6 => socket.bind(&self.socket_addr(addr, 0).into()),
            _ => Ok(()),
        }
    }

    /// The same from a source port of one's choice.
    pub fn apply_port(&self, socket: &Socket, v6: bool, port: u16) -> std::io::Result<()> {
        let device = Self {
            addr: None,
            device: self.device.clone(),
        };
        device.apply(socket, v6)?;
        let any = if v6 {
            IpAddr::from([0u16; 8])
        } else {
            IpAddr::from([0u8; 4])
        };
        let addr = self.addr.filter(|a| a.is_ipv6() == v6).unwrap_or(any);
        socket.bind(&self.socket_addr(addr, port).into())
    }

    /// An address with its port, and for link-local IPv6 with the zone of the chosen interface.
    pub fn socket_addr(&self, addr: IpAddr, port: u16) -> SocketAddr {
        match addr {
            IpAddr::V4(a) => SocketAddrV4::new(a, port).into(),
            IpAddr::V6(a) => {
                let zone = if a.is_unicast_link_local() {
                    self.index()
                } else {
                    0
                };
                SocketAddrV6::new(a, port, 0, zone).into()
            }
        }
    }

    /// Index of the chosen interface, 0 where none is chosen or it does not exist.
    fn index(&self) -> u32 {
        self.device
            .as_deref()
            .and_then(|d| CString::new(d).ok())
            .and_then(|d| nix::net::if_::if_nametoindex(d.as_c_str()).ok())
            .unwrap_or(0)
    }
}
