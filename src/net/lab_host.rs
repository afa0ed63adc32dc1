//! The host of the lab: makes the namespaces and the network, then serves both sides in one loop.

use super::broker::{self, Answer, Opener, Served};
use super::interfaces::read_interfaces;
use super::lab::{SERVER_INTERFACE, SERVER_V4, SERVER_V6, Stage, YOU_INTERFACE, YOU_V4, YOU_V6};
use super::lab_server::Server;
use super::netlink::{Message, Netlink, attributes, u32_at};
use super::process::{self, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_SYS_ADMIN};
use super::request::{Kind, REQUEST, Reply, Request, Status};
use super::sys;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long the interfaces may take to run.
const CARRIER_PATIENCE: Duration = Duration::from_secs(2);

/// At which stage the lab could not be made, and the system's reason.
pub type Failed = (Stage, io::Error);

/// A lab that stands: the server's side of it.
pub struct Lab {
    server: Server,
    /// A conversation about the server's namespace.
    netlink: Netlink,
}

/// Runs a lab until the peer closes. Needs a process with a single thread. Gives its exit status.
pub fn run(peer: BorrowedFd) -> u8 {
    match enter_and_build() {
        Ok(mut lab) => {
            lab.put_down();
            lab.serve(peer, |lab| {
                broker::serve_one(peer, &mut Host(&mut lab.netlink), libc::MSG_DONTWAIT) != Served::Closed
            });
            0
        }
        Err(failed) => {
            tell(peer, &failed);
            1
        }
    }
}

fn enter_and_build() -> Result<Lab, Failed> {
    let (_, uid, _, gid) = process::ids();
    if !process::capabilities().is_ok_and(|sets| sets.effective & CAP_SYS_ADMIN != 0) {
        enter_user_namespace(uid, gid)?;
    }
    build()
}

/// Waits for the first request and answers why there is no lab.
fn tell(peer: BorrowedFd, failed: &Failed) {
    let mut buffer = [0; REQUEST];
    let Ok(message) = sys::receive_message(peer, &mut buffer, 0) else { return };
    let request = buffer.get(..message.length).and_then(Request::decode);
    let reply = Reply { sequence: request.map_or(0, |request| request.sequence), ..failure(failed) };
    let _ = sys::send_message(peer, &reply.encode(), None, 0);
}

/// The reply that says at which stage it failed.
pub fn failure((stage, error): &Failed) -> Reply {
    Reply { status: Status::LabFailed, stage: stage.number(), errno: sys::errno(error), sequence: 0 }
}

/// Answers the requests for sockets of "you", and for a delay.
struct Host<'a>(&'a mut Netlink);

impl Answer for Host<'_> {
    fn answer(&mut self, request: &Request, namespace: Option<OwnedFd>) -> Result<Option<OwnedFd>, Reply> {
        match (request.kind, namespace) {
            (Kind::Delay, None) => delay(self.0, SERVER_INDEX, request.number)
                .map(|()| None)
                .map_err(|error| broker::failure(&error)),
            (_, namespace) => Opener::in_lab().answer(request, namespace),
        }
    }
}

impl Lab {
    /// Puts down what only the making of the lab took.
    fn put_down(&self) {
        let kept = CAP_NET_RAW | CAP_NET_BIND_SERVICE | CAP_NET_ADMIN;
        let held = process::capabilities().map(|sets| sets.permitted).unwrap_or(0);
        let _ = process::set_capabilities(held & kept, held & kept);
        let _ = process::forbid_new_privileges();
    }

    /// Delays what the server sends, as [`super::Door::delay`].
    pub fn delay(&mut self, milliseconds: u16) -> io::Result<()> {
        delay(&mut self.netlink, SERVER_INDEX, milliseconds)
    }

    /// Serves the server's ports, and has `ready` called whenever something comes up at `other`, until that gives
    /// `false`.
    pub fn serve(&mut self, other: BorrowedFd, mut ready: impl FnMut(&mut Self) -> bool) {
        let mut fds = Vec::with_capacity(1 + Server::WATCHED);
        loop {
            fds.clear();
            fds.push(sys::watch(other, libc::POLLIN));
            self.server.watch(&mut fds);
            if sys::poll(&mut fds, self.server.patience()).is_err() {
                return;
            }
            if fds.first().is_some_and(|fd| fd.revents != 0) && !ready(self) {
                return;
            }
            self.server.work(fds.get(1..).unwrap_or_default());
        }
    }
}

/// Makes the namespaces and the network, in a process that may. Afterwards it is in the namespace of "you".
pub fn build() -> Result<Lab, Failed> {
    let at = |stage: Stage| move |error: io::Error| (stage, error);

    process::unshare(libc::CLONE_NEWNET).map_err(at(Stage::NetworkNamespace))?;
    set_switches();
    let server_namespace: OwnedFd =
        File::open("/proc/self/ns/net").map_err(at(Stage::NetworkNamespace))?.into();
    let mut server_side = Netlink::here().map_err(at(Stage::Link))?;
    let server_switch = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).map_err(at(Stage::Link))?;
    let server = Server::open().map_err(at(Stage::Server))?;

    process::unshare(libc::CLONE_NEWNET).map_err(at(Stage::NetworkNamespace))?;
    set_switches();
    let mut your_side = Netlink::here().map_err(at(Stage::Link))?;
    let your_switch = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).map_err(at(Stage::Link))?;
    make_pair(&mut your_side, &server_namespace).map_err(at(Stage::Link))?;

    let sides = [
        (&mut server_side, &server_switch, SERVER_INTERFACE, [IpAddr::V4(SERVER_V4), SERVER_V6.into()]),
        (&mut your_side, &your_switch, YOU_INTERFACE, [IpAddr::V4(YOU_V4), YOU_V6.into()]),
    ];
    for (netlink, switch, name, addresses) in sides {
        set_up(netlink, switch.as_fd(), name, addresses).map_err(at(Stage::Addresses))?;
    }
    wait_until_running(&mut server_side, SERVER_INDEX).map_err(at(Stage::Addresses))?;
    wait_until_running(&mut your_side, YOU_INDEX).map_err(at(Stage::Addresses))?;
    wait_until_solicited(&mut server_side, SERVER_V6);
    wait_until_solicited(&mut your_side, YOU_V6);
    Ok(Lab { server, netlink: server_side })
}

/// Makes a user namespace in which the user is root, and nobody else exists: user_namespaces(7).
pub fn enter_user_namespace(uid: u32, gid: u32) -> Result<(), Failed> {
    // A program file with a capability is closed to its user; then its maps are root's to write.
    process::set_dumpable();
    process::unshare(libc::CLONE_NEWUSER).map_err(|error| (Stage::UserNamespace, error))?;
    let write = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text).map_err(|error| (Stage::Maps, error))
    };
    write("setgroups", "deny".into())?;
    write("uid_map", format!("0 {uid} 1"))?;
    write("gid_map", format!("0 {gid} 1"))
}

/// Lets everybody in this namespace use ports below 1024, and has it quiet. Where /proc is read-only, it stays as it
/// was; the server's own ports need it not.
fn set_switches() {
    let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    // The reports of the neighbours' multicast groups go out at once, and not among the user's first packets.
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/default/mldv2_unsolicited_report_interval", "1");
}

/// Numbers of the two ends. They differ, because the kernel takes its time (up to a second) to set an interface
/// running whose number is that of its peer.
const YOU_INDEX: u32 = 2;
const SERVER_INDEX: u32 = 3;

/// The fixed part of a link message about one interface.
fn link(index: u32) -> [u8; 16] {
    let mut fixed = [0; 16];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    fixed
}

const IFA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
/// No link-local address is made, so that the first packet in the lab is the user's own.
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
/// Says that an attribute holds attributes.
const NESTED: u16 = 0x8000;

/// Makes the veth pair: one end here, the other one in the server's namespace.
fn make_pair(netlink: &mut Netlink, server: &OwnedFd) -> io::Result<()> {
    let peer = server.as_raw_fd().to_ne_bytes();
    let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
    let message = Message::new(libc::RTM_NEWLINK, flags, &link(YOU_INDEX))
        .text(IFLA_IFNAME, YOU_INTERFACE)
        .nest(IFLA_LINKINFO | NESTED, &[], |message| {
            message.text(IFLA_INFO_KIND, "veth").nest(IFLA_INFO_DATA | NESTED, &[], |message| {
                message.nest(VETH_INFO_PEER | NESTED, &link(SERVER_INDEX), |message| {
                    message.text(IFLA_IFNAME, SERVER_INTERFACE).attribute(IFLA_NET_NS_FD, &peer)
                })
            })
        });
    netlink.order(message)
}

/// ethtool's switches that make checksums and packets whole: transmit checksum, TSO, GSO, GRO.
const OFFLOADS: [u32; 4] = [0x17, 0x1f, 0x24, 0x2c];

/// Sets up one end of the pair, and the loopback interface beside it.
fn set_up(netlink: &mut Netlink, switch: BorrowedFd, name: &str, addresses: [IpAddr; 2]) -> io::Result<()> {
    let interfaces = read_interfaces(netlink)?;
    let number = |wanted: &str| {
        let found = interfaces.iter().find(|interface| interface.name == wanted);
        found.map(|i| i.index).ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
    };
    let (index, loopback) = (number(name)?, number("lo")?);
    for command in OFFLOADS {
        sys::set_offload(switch, name, command, false)?;
    }
    for address in addresses {
        match add_address(netlink, index, address) {
            // A kernel without IPv6 gives a lab without IPv6.
            Err(error) if address.is_ipv6() && is_missing(&error) => {}
            done => done?,
        }
    }
    match keep_quiet(netlink, index) {
        Err(error) if !is_missing(&error) => return Err(error),
        _ => {}
    }
    up(netlink, loopback)?;
    up(netlink, index)
}

fn is_missing(error: &io::Error) -> bool {
    let missing =
        [libc::EAFNOSUPPORT, libc::EOPNOTSUPP, libc::EACCES, libc::EPERM, libc::ENODEV, libc::EINVAL];
    error.raw_os_error().is_some_and(|errno| missing.contains(&errno))
}

fn add_address(netlink: &mut Netlink, index: u32, ip: IpAddr) -> io::Result<()> {
    const IFA_LOCAL: u16 = 2;
    let (bytes, family, _) = super::interfaces::ip_parts(ip);
    let prefix = if ip.is_ipv4() { 24 } else { 64 };
    let flags = if ip.is_ipv4() { 0 } else { libc::IFA_F_NODAD as u8 };
    let mut fixed = [family, prefix, flags, 0, 0, 0, 0, 0];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    let message = Message::new(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &fixed);
    netlink.order(message.attribute(IFA_LOCAL, &bytes).attribute(IFA_ADDRESS, &bytes))
}

/// Keeps the kernel from making a link-local address and from soliciting routers with it.
fn keep_quiet(netlink: &mut Netlink, index: u32) -> io::Result<()> {
    let message = Message::new(libc::RTM_NEWLINK, 0, &link(index));
    netlink.order(message.nest(IFLA_AF_SPEC | NESTED, &[], |message| {
        message.nest(libc::AF_INET6 as u16 | NESTED, &[], |message| {
            message.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE])
        })
    }))
}

fn up(netlink: &mut Netlink, index: u32) -> io::Result<()> {
    let mut fixed = link(index);
    fixed[8..12].copy_from_slice(&(libc::IFF_UP as u32).to_ne_bytes());
    fixed[12..16].copy_from_slice(&(libc::IFF_UP as u32).to_ne_bytes());
    netlink.order(Message::new(libc::RTM_NEWLINK, 0, &fixed))
}

/// Delays what leaves an interface (tc-netem(8), linux/pkt_sched.h); 0 takes the delay back.
fn delay(netlink: &mut Netlink, index: u32, milliseconds: u16) -> io::Result<()> {
    const TC_H_ROOT: u32 = 0xffff_ffff;
    const TCA_KIND: u16 = 1;
    const TCA_OPTIONS: u16 = 2;
    const TCA_NETEM_LATENCY64: u16 = 10;
    /// Packets that may wait at a time.
    const LIMIT: u32 = 10_000;
    // struct tcmsg: family, interface, handle, parent, info.
    let mut place = [0; 20];
    place[4..8].copy_from_slice(&index.to_ne_bytes());
    place[12..16].copy_from_slice(&TC_H_ROOT.to_ne_bytes());
    if milliseconds == 0 {
        return match netlink.order(Message::new(libc::RTM_DELQDISC, 0, &place)) {
            // There was none.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            done => done,
        };
    }
    let nanoseconds = i64::from(milliseconds) * 1_000_000;
    // struct tc_netem_qopt: latency in ticks of 64 ns, limit, loss, gap, duplicate, jitter.
    let ticks = u32::try_from(nanoseconds / 64).unwrap_or(u32::MAX);
    let options: Vec<u8> = [ticks, LIMIT, 0, 0, 0, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let message = Message::new(libc::RTM_NEWQDISC, flags, &place);
    netlink.order(message.text(TCA_KIND, "netem").nest(TCA_OPTIONS, &options, |message| {
        message.attribute(TCA_NETEM_LATENCY64, &nanoseconds.to_ne_bytes())
    }))
}

/// Waits until an interface carries packets (RFC 2863). `IFF_RUNNING` does not tell: it is also set while the state
/// of a new interface is not known yet.
fn wait_until_running(netlink: &mut Netlink, index: u32) -> io::Result<()> {
    const IFLA_OPERSTATE: u16 = 16;
    const OPERSTATE_UP: u8 = 6;
    let deadline = Instant::now() + CARRIER_PATIENCE;
    loop {
        let links = netlink.dump(libc::RTM_GETLINK, &[0; 16])?;
        let state = links.iter().find(|(_, body)| u32_at(body, 4) == Some(index)).and_then(|(_, body)| {
            attributes(body.get(16..)?).find(|(kind, _)| *kind == IFLA_OPERSTATE).map(|(_, value)| value)
        });
        if state == Some(&[OPERSTATE_UP]) {
            // It shows as up a moment before its queue is in place, and what is sent in between is lost. Both happen
            // under one lock of the kernel, which this order has to wait for.
            return up(netlink, index);
        }
        if Instant::now() >= deadline {
            return Err(io::Error::from_raw_os_error(libc::ENETDOWN));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until the kernel listens to the multicast group by which neighbours ask for an IPv6 address (RFC 4291,
/// 2.7.1). It joins later than the interface runs, and a first question that is missed costs a second. In a lab
/// without IPv6 there is nothing to wait for.
fn wait_until_solicited(netlink: &mut Netlink, ip: Ipv6Addr) {
    const IFA_MULTICAST: u16 = 7;
    let mut group = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0];
    group[13..].copy_from_slice(&ip.octets()[13..]);
    let deadline = Instant::now() + CARRIER_PATIENCE;
    let has = |body: &[u8], wanted: &[u8], kind: u16| {
        attributes(body.get(8..).unwrap_or_default()).any(|(k, value)| k == kind && value == wanted)
    };
    let family = [libc::AF_INET6 as u8, 0, 0, 0, 0, 0, 0, 0];
    while Instant::now() < deadline {
        let addresses = netlink.dump(libc::RTM_GETADDR, &family).unwrap_or_default();
        let Some((_, address)) = addresses.iter().find(|(_, body)| has(body, &ip.octets(), IFA_ADDRESS))
        else {
            return;
        };
        // A tentative address does not answer for itself yet, even without duplicate detection.
        let tentative = address.get(2).is_some_and(|flags| u32::from(*flags) & libc::IFA_F_TENTATIVE != 0);
        match netlink.dump(libc::RTM_GETMULTICAST, &family) {
            Ok(groups) if tentative || !groups.iter().any(|(_, body)| has(body, &group, IFA_MULTICAST)) => {}
            _ => return,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
