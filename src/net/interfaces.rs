//! Interfaces, routes and neighbours of a place, read by netlink: rtnetlink(7).

use super::door::Door;
use super::error::Error;
use super::netlink::{self, Message, Netlink, u16_at, u32_at};
use super::sys;
use socket2::Socket;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Length of the network's prefix in bits.
    pub prefix: u8,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address, if it has one of six bytes that is not all zeros.
    pub mac: Option<[u8; 6]>,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<Address>,
    /// The largest packet that it takes, in bytes, without the link header.
    pub mtu: u32,
    /// Whether it is set up (`IFF_UP`).
    pub up: bool,
    /// Whether it can carry packets now (`IFF_RUNNING`).
    pub running: bool,
    /// Whether it is a loopback interface.
    pub loopback: bool,
    /// Hardware type, `ARPHRD_…`: 1 is Ethernet, 772 loopback, 65534 none.
    pub arphrd: u16,
}

/// Where the kernel would send a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The source address that the kernel would choose.
    pub source: IpAddr,
    /// The interface that the packet would leave by.
    pub interface: u32,
    /// The next hop, where the destination is not on the link.
    pub gateway: Option<IpAddr>,
    /// Whether the destination is this machine itself.
    pub local: bool,
    /// Largest packet on this route in bytes, where the route says so.
    pub mtu: Option<u32>,
}

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_STATS64: u16 = 23;
/// Places in it, in numbers of 64 bits.
const RX_FIFO_ERRORS: usize = 14;
const RX_MISSED_ERRORS: usize = 15;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTAX_MTU: u16 = 2;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// Port of the discard service, to which a datagram goes that is to make the kernel look for a neighbour.
const DISCARD: u16 = 9;
/// How long a neighbour has to answer.
const NEIGHBOUR_PATIENCE: Duration = Duration::from_millis(500);

/// The interfaces of a place, by number.
///
/// # Errors
/// When the netlink socket cannot be had or the kernel does not answer.
pub fn interfaces(door: &Door) -> Result<Vec<Interface>, Error> {
    let mut netlink = Netlink::new(door.netlink()?);
    read_interfaces(&mut netlink).map_err(|error| Error::system("list the network interfaces", error))
}

/// What the interfaces of a place dropped since this was made, for lack of room (`rx_missed_errors` and `rx_fifo_errors` of
/// `rtnl_link_stats64`, linux/if_link.h): packets that no socket could have got. libpcap counts the same as `ps_ifdrop`.
pub struct InterfaceDrops {
    netlink: Netlink,
    before: HashMap<u32, u64>,
}

impl InterfaceDrops {
    /// Counts from now on.
    ///
    /// # Errors
    /// When the netlink socket cannot be had or the kernel does not answer.
    pub fn of(door: &Door) -> Result<Self, Error> {
        let mut drops = Self { netlink: Netlink::new(door.netlink()?), before: HashMap::new() };
        drops.before = drops.read()?;
        Ok(drops)
    }

    /// By the number of the interface. One that was made meanwhile counts from its beginning.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn now(&mut self) -> Result<HashMap<u32, u64>, Error> {
        let mut now = self.read()?;
        for (index, count) in &mut now {
            *count = count.saturating_sub(self.before.get(index).copied().unwrap_or(0));
        }
        Ok(now)
    }

    fn read(&mut self) -> Result<HashMap<u32, u64>, Error> {
        let links = self.netlink.dump(libc::RTM_GETLINK, &[0; 16]);
        let links = links.map_err(|error| Error::system("read the counters of the interfaces", error))?;
        let links = links.iter().filter(|(kind, _)| *kind == libc::RTM_NEWLINK);
        Ok(links.filter_map(|(_, body)| Some((u32_at(body, 4)?, read_drops(body)?))).collect())
    }
}

fn read_drops(body: &[u8]) -> Option<u64> {
    let mut attributes = netlink::attributes(body.get(16..)?);
    let (_, counters) = attributes.find(|(kind, _)| *kind == IFLA_STATS64)?;
    let counter =
        |place: usize| counters.get(place * 8..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
    counter(RX_FIFO_ERRORS)?.checked_add(counter(RX_MISSED_ERRORS)?)
}

pub(crate) fn read_interfaces(netlink: &mut Netlink) -> io::Result<Vec<Interface>> {
    let mut found = Vec::new();
    for (kind, body) in netlink.dump(libc::RTM_GETLINK, &[0; 16])? {
        if kind == libc::RTM_NEWLINK {
            found.extend(read_link(&body));
        }
    }
    for (kind, body) in netlink.dump(libc::RTM_GETADDR, &[0; 8])? {
        let Some(index) = u32_at(&body, 4) else { continue };
        let Some(interface) = found.iter_mut().find(|i| i.index == index && kind == libc::RTM_NEWADDR) else {
            continue;
        };
        let (mut address, mut local) = (None, None);
        for (kind, value) in netlink::attributes(body.get(8..).unwrap_or_default()) {
            match kind {
                IFA_ADDRESS => address = read_ip(value),
                // On a point-to-point link IFA_ADDRESS is the peer's.
                IFA_LOCAL => local = read_ip(value),
                _ => {}
            }
        }
        if let Some(ip) = local.or(address) {
            interface.addresses.push(Address { ip, prefix: body.get(1).copied().unwrap_or(0) });
        }
    }
    found.sort_by_key(|interface| interface.index);
    Ok(found)
}

fn read_link(body: &[u8]) -> Option<Interface> {
    let flags = u32_at(body, 8)? as i32;
    let mut interface = Interface {
        index: u32_at(body, 4)?,
        name: String::new(),
        mac: None,
        addresses: Vec::new(),
        mtu: 0,
        up: flags & libc::IFF_UP != 0,
        running: flags & libc::IFF_RUNNING != 0,
        loopback: flags & libc::IFF_LOOPBACK != 0,
        arphrd: u16_at(body, 2)?,
    };
    for (kind, value) in netlink::attributes(body.get(16..)?) {
        match kind {
            IFLA_ADDRESS => interface.mac = value.try_into().ok().filter(|mac| *mac != [0; 6]),
            IFLA_IFNAME => {
                let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
                interface.name = String::from_utf8_lossy(text).into_owned();
            }
            IFLA_MTU => interface.mtu = u32_at(value, 0)?,
            _ => {}
        }
    }
    Some(interface)
}

fn read_ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).into())
}

/// The bytes of an address, its family and its length in bits.
pub(crate) fn ip_parts(ip: IpAddr) -> (Vec<u8>, u8, u8) {
    match ip {
        IpAddr::V4(v4) => (v4.octets().to_vec(), libc::AF_INET as u8, 32),
        IpAddr::V6(v6) => (v6.octets().to_vec(), libc::AF_INET6 as u8, 128),
    }
}

/// Where the kernel would send a packet to `destination`, and from which address.
///
/// # Errors
/// `ENETUNREACH` without a route; others as the route says (`EHOSTUNREACH`, `EACCES` for a prohibited one).
pub fn route(door: &Door, destination: IpAddr) -> Result<Route, Error> {
    let failed = |error| Error::system(format!("find a route to {destination}"), error);
    let mut netlink = Netlink::new(door.netlink()?);
    let (bytes, family, bits) = ip_parts(destination);
    let fixed = [family, bits, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let answers = netlink
        .ask(Message::new(libc::RTM_GETROUTE, 0, &fixed).attribute(RTA_DST, &bytes))
        .map_err(failed)?;
    let body = answers.into_iter().find(|(kind, _)| *kind == libc::RTM_NEWROUTE);
    let (_, body) = body.ok_or_else(|| failed(io::Error::from_raw_os_error(libc::EPROTO)))?;
    let kind = body.get(7).copied().unwrap_or(0);
    match kind {
        libc::RTN_UNREACHABLE => return Err(failed(io::Error::from_raw_os_error(libc::EHOSTUNREACH))),
        libc::RTN_PROHIBIT => return Err(failed(io::Error::from_raw_os_error(libc::EACCES))),
        libc::RTN_BLACKHOLE => return Err(failed(io::Error::from_raw_os_error(libc::EINVAL))),
        _ => {}
    }
    let (mut source, mut interface, mut gateway, mut mtu) = (None, None, None, None);
    for (kind, value) in netlink::attributes(body.get(12..).unwrap_or_default()) {
        match kind {
            RTA_PREFSRC => source = read_ip(value),
            RTA_OIF => interface = u32_at(value, 0),
            RTA_GATEWAY => gateway = read_ip(value),
            RTA_METRICS => {
                mtu = netlink::attributes(value)
                    .find(|(kind, _)| *kind == RTAX_MTU)
                    .and_then(|(_, v)| u32_at(v, 0));
            }
            _ => {}
        }
    }
    let interface = interface.ok_or_else(|| failed(io::Error::from_raw_os_error(libc::ENETUNREACH)))?;
    let source = match source {
        Some(source) => source,
        None => connected_source(door, destination).map_err(failed)?,
    };
    Ok(Route { source, interface, gateway, local: kind == libc::RTN_LOCAL, mtu })
}

/// The source that a connected UDP socket gets, where the route does not name one.
fn connected_source(door: &Door, destination: IpAddr) -> io::Result<IpAddr> {
    let socket = door.udp(destination.is_ipv6()).map_err(|error| match error {
        Error::System { reason, .. } => reason,
        _ => io::Error::from_raw_os_error(libc::EPERM),
    })?;
    let socket = Socket::from(socket);
    socket.connect(&SocketAddr::new(destination, DISCARD).into())?;
    let local = socket.local_addr()?.as_socket();
    local.map(|address| address.ip()).ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

/// The hardware address of a neighbour on an interface. If the kernel does not know it, an empty UDP datagram
/// makes it ask, and the answer is awaited for up to 500 ms. `None`: nobody answered. Multicast and broadcast
/// addresses are worked out. An interface without hardware addresses answers with zeros.
///
/// # Errors
/// When the sockets cannot be had, the interface is not there, or the kernel does not answer.
pub fn neighbour(door: &Door, interface: u32, ip: IpAddr) -> Result<Option<[u8; 6]>, Error> {
    if let Some(mac) = group_address(ip) {
        return Ok(Some(mac));
    }
    let failed = |error| Error::system(format!("find the hardware address of {ip}"), error);
    let mut netlink = Netlink::new(door.netlink()?);
    let link = read_interfaces(&mut netlink).map_err(failed)?.into_iter().find(|i| i.index == interface);
    let link = link.ok_or_else(|| failed(io::Error::from_raw_os_error(libc::ENODEV)))?;
    if link.arphrd != libc::ARPHRD_ETHER {
        return Ok(Some([0; 6]));
    }
    if let Some(mac) = known(&mut netlink, interface, ip).map_err(failed)? {
        return Ok(Some(mac));
    }
    let socket = Socket::from(door.udp(ip.is_ipv6())?);
    // A process that may not bind to the device leaves the choice to the route.
    let _ = socket.bind_device(Some(link.name.as_bytes()));
    let _ = socket.set_nonblocking(true);
    let to = match ip {
        IpAddr::V6(v6) => SocketAddr::V6(SocketAddrV6::new(v6, DISCARD, 0, interface)),
        IpAddr::V4(_) => SocketAddr::new(ip, DISCARD),
    };
    socket.send_to(&[], &to.into()).map_err(failed)?;
    let deadline = Instant::now() + NEIGHBOUR_PATIENCE;
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
        if let Some(mac) = known(&mut netlink, interface, ip).map_err(failed)? {
            return Ok(Some(mac));
        }
    }
    Ok(None)
}

/// The hardware address that a multicast or the limited broadcast address maps to (RFC 1112, RFC 2464).
fn group_address(ip: IpAddr) -> Option<[u8; 6]> {
    match ip {
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some([0xff; 6]),
        IpAddr::V4(v4) if v4.is_multicast() => {
            let [_, b, c, d] = v4.octets();
            Some([0x01, 0x00, 0x5e, b & 0x7f, c, d])
        }
        IpAddr::V6(v6) if v6.is_multicast() => {
            let [a, b, c, d] = (v6.to_bits() as u32).to_be_bytes();
            Some([0x33, 0x33, a, b, c, d])
        }
        _ => None,
    }
}

/// The entry of the kernel's neighbour table, if it is one to rely on.
fn known(netlink: &mut Netlink, interface: u32, ip: IpAddr) -> io::Result<Option<[u8; 6]>> {
    let (bytes, family, _) = ip_parts(ip);
    let mut fixed = [0; 12];
    fixed[0] = family;
    fixed[4..8].copy_from_slice(&interface.to_ne_bytes());
    let message = Message::new(libc::RTM_GETNEIGH, 0, &fixed).attribute(NDA_DST, &bytes);
    let answers = match netlink.ask(message) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        answers => answers?,
    };
    let usable = libc::NUD_REACHABLE
        | libc::NUD_STALE
        | libc::NUD_DELAY
        | libc::NUD_PROBE
        | libc::NUD_PERMANENT
        | libc::NUD_NOARP;
    Ok(answers.iter().find_map(|(_, body)| {
        let state = u16_at(body, 8)?;
        let mut found = netlink::attributes(body.get(12..)?);
        let (_, mac) = found.find(|(kind, _)| *kind == NDA_LLADDR && state & usable != 0)?;
        mac.try_into().ok()
    }))
}

/// Name and MTU of an interface in the namespace of a socket, for messages.
pub(crate) fn name_and_mtu(socket: &impl AsFd, interface: u32) -> Option<(String, u32)> {
    let name = sys::interface_name(socket.as_fd(), interface).ok()?;
    let mtu = sys::interface_mtu(socket.as_fd(), &name).ok()?;
    Some((name, mtu))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drops_of_an_interface_are_two_of_its_counters() {
        let mut body = vec![0; 16];
        // Another attribute before them.
        body.extend([8, 0, 4, 0, 0xFF, 0xFF, 0, 0]);
        let numbers: Vec<u8> = (0..24_u64).flat_map(|n| (1_u64 << n).to_ne_bytes()).collect();
        body.extend(u16::try_from(numbers.len() + 4).unwrap().to_ne_bytes());
        body.extend(IFLA_STATS64.to_ne_bytes());
        body.extend(&numbers);
        assert_eq!(read_drops(&body), Some((1 << 14) + (1 << 15)));
        assert_eq!(read_drops(&body[..24]), None);
    }
}
