//! Where one can work and what one can listen to.

use std::net::IpAddr;

use super::remote::Remote;
use crate::net::{self, Door, DoorKind, Interface, Place, Startup};

/// Something went wrong: a message for the person, and the ways out where there are some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was tried, on what, why it failed, what to do.
    pub text: String,
    /// Ways to the missing privilege, each with the command to copy.
    pub ways: Vec<(String, String)>,
}

impl Failure {
    /// A failure without ways.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ways: Vec::new() }
    }

    /// Whether the message itself lists the ways, a line each, as that of a missing privilege does.
    #[must_use]
    pub fn lists_ways(&self) -> bool {
        self.text.lines().count() > 1 && !self.ways.is_empty()
    }
}

impl From<net::Error> for Failure {
    fn from(error: net::Error) -> Self {
        let ways = match &error {
            net::Error::NoPrivilege(missing) => {
                missing.ways.iter().map(|w| (w.what.clone(), w.command.clone())).collect()
            }
            // The advice has its command in backquotes.
            net::Error::Lab(failed) => failed
                .advice
                .split('`')
                .skip(1)
                .step_by(2)
                .filter(|command| command.starts_with("sudo "))
                .map(|command| ("permit it, until the next restart".to_owned(), command.to_owned()))
                .collect(),
            _ => Vec::new(),
        };
        Self { text: error.to_string(), ways }
    }
}

impl From<net::SendError> for Failure {
    fn from(error: net::SendError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<crate::pcap::Error> for Failure {
    fn from(error: crate::pcap::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// What a capture listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// The interface of this name, at the link layer.
    Interface(String),
    /// All interfaces, at the link layer.
    Any,
    /// What comes in for these IP protocols, at the IP layer (raw(7)): no link header, reassembled.
    Ip(Vec<u8>),
    /// What another machine captures.
    Remote(Remote),
}

/// One entry of the source list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where.
    pub place: Place,
    /// To what.
    pub listen: Listen,
    /// Its name in the list.
    pub label: String,
    /// Addresses and state, for the list.
    pub detail: String,
}

impl Source {
    /// What another machine captures; `None`: it is captured here.
    #[must_use]
    pub fn remote(&self) -> Option<&Remote> {
        match &self.listen {
            Listen::Remote(remote) => Some(remote),
            _ => None,
        }
    }
}

/// How a frame goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// A raw IP socket: everything before the IP header stays behind, the kernel routes.
    #[default]
    Ip,
    /// As it is on the interface of this name.
    Link(String),
}

/// What the system knows about the way to a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbourhood {
    /// The address that the kernel would send from.
    pub source: Option<IpAddr>,
    /// The interface that it would use.
    pub interface: Option<Interface>,
    /// The next hop's link-layer address.
    pub neighbour: Option<[u8; 6]>,
    /// Why something is missing.
    pub problem: Option<String>,
}

/// Whether raw sockets can be had on this machine itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostWay {
    /// At once.
    Open,
    /// After a person was asked for a permission (pkexec).
    Asks,
    /// Not at all.
    Closed,
}

/// The doors to every place.
pub struct Access(Startup);

impl Access {
    /// Wraps what the start of the program gave.
    #[must_use]
    pub fn new(startup: Startup) -> Self {
        Self(startup)
    }

    /// The way to no place at all: for what reads captures and needs no socket.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn closed() -> Result<Self, Failure> {
        Ok(Self(Startup::closed()?))
    }

    /// The way to one place, through a door that is there.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn through(door: Door) -> Result<Self, Failure> {
        Ok(Self(Startup::through(door)?))
    }

    /// The door to a place, for what needs raw sockets.
    ///
    /// # Errors
    /// The ways to the missing privilege, or why there is no lab.
    pub fn door(&self, place: &Place) -> Result<Door, Failure> {
        self.0.door(place).map_err(Failure::from)
    }

    /// A door for what needs no privilege: interfaces and routes are there for everybody, except in a foreign network
    /// namespace. `asking`: a person may be asked for it.
    fn reading_door(&self, place: &Place, asking: bool) -> Result<Door, Failure> {
        match self.door(place) {
            Err(_) if *place == Place::Host => Ok(Door::unprivileged()),
            Ok(door) if !asking && *place != Place::Host && door.kind() == DoorKind::Pkexec => {
                Err(Failure::new(format!(
                    "{place} is looked into when a packet is sent: that takes a permission"
                )))
            }
            other => other,
        }
    }

    /// The interfaces of a place.
    ///
    /// # Errors
    /// The system's reason.
    pub fn interfaces(&self, place: &Place) -> Result<Vec<Interface>, Failure> {
        Ok(net::interfaces(&self.reading_door(place, true)?)?)
    }

    /// What counts the drops of a place's interfaces from now on; `None`: nobody tells.
    pub(super) fn interface_drops(&self, place: &Place) -> Option<net::InterfaceDrops> {
        net::InterfaceDrops::of(&self.reading_door(place, true).ok()?).ok()
    }

    /// What the system knows about the way to `destination` by its own route. `asking`: a person may be asked for a
    /// permission that looking takes.
    pub fn neighbourhood(&self, place: &Place, destination: IpAddr, asking: bool) -> Neighbourhood {
        let mut found = Neighbourhood::default();
        if let Err(failure) = self.explore(place, destination, asking, &mut found) {
            found.problem = Some(failure.text);
        }
        found
    }

    fn explore(
        &self,
        place: &Place,
        to: IpAddr,
        asking: bool,
        found: &mut Neighbourhood,
    ) -> Result<(), Failure> {
        let door = self.reading_door(place, asking)?;
        if let Some(interface) = self.link_of(place, to)? {
            found.source = source_on(&interface, to);
            found.interface = Some(interface);
            return Ok(());
        }
        let route = net::route(&door, to)?;
        found.source = Some(route.source);
        found.interface = net::interfaces(&door)?.into_iter().find(|i| i.index == route.interface);
        Ok(())
    }

    /// The interface by which a destination is reached that no route can tell: an IPv6 address that every link has for
    /// itself (RFC 4007). `None`: the destination is none of those.
    ///
    /// # Errors
    /// There is no link that it could be, or more than one.
    pub(super) fn link_of(&self, place: &Place, to: IpAddr) -> Result<Option<Interface>, Failure> {
        if !is_of_a_link(to) {
            return Ok(None);
        }
        let on_a_link =
            |i: &Interface| i.up && !i.loopback && i.addresses.iter().any(|address| address.ip.is_ipv6());
        let links: Vec<Interface> = self.interfaces(place)?.into_iter().filter(on_a_link).collect();
        match links.as_slice() {
            [link] => Ok(Some(link.clone())),
            [] => Err(Failure::new(format!(
                "cannot reach {to}: it is an address of a link, and no interface of {place} is up with an IPv6 address"
            ))),
            several => {
                let names: Vec<&str> = several.iter().map(|i| i.name.as_str()).collect();
                Err(Failure::new(format!(
                    "cannot tell where {to} is: every link has such addresses of its own. Send it at the link layer, \
                     where the interface is named (-i IFACE): {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// What the system knows about the way to `destination` over one interface, whatever the route says.
    pub fn neighbourhood_on(
        &self,
        place: &Place,
        interface: &Interface,
        destination: IpAddr,
    ) -> Neighbourhood {
        let mut found = Neighbourhood { interface: Some(interface.clone()), ..Neighbourhood::default() };
        if let Err(failure) = self.explore_on(place, interface, destination, &mut found) {
            found.problem = Some(failure.text);
        }
        found
    }

    /// The address that the kernel would send from over one interface, without looking for the neighbour there.
    pub(super) fn source_over(&self, place: &Place, interface: &Interface, to: IpAddr) -> Option<IpAddr> {
        let route = self.reading_door(place, true).ok().and_then(|door| net::route(&door, to).ok());
        let route = route.filter(|route| route.interface == interface.index && !is_of_a_link(to));
        route.map(|r| r.source).or_else(|| source_on(interface, to))
    }

    fn explore_on(
        &self,
        place: &Place,
        interface: &Interface,
        to: IpAddr,
        found: &mut Neighbourhood,
    ) -> Result<(), Failure> {
        let door = self.reading_door(place, true)?;
        // Without a route, or with one over another interface, the destination is looked for on the link itself.
        let route = net::route(&door, to).ok().filter(|route| route.interface == interface.index);
        let route = route.filter(|_| !is_of_a_link(to));
        found.source = route.map(|r| r.source).or_else(|| source_on(interface, to));
        let next_hop = route.and_then(|r| r.gateway).unwrap_or(to);
        found.neighbour = net::neighbour(&door, interface.index, next_hop)?;
        if found.neighbour.is_none() {
            found.problem = Some(format!(
                "nobody on {} says that it is {next_hop}, so the link-layer destination stays zero: name it with \
                 eth(dst=…)",
                interface.name
            ));
        }
        Ok(())
    }

    /// Whether raw sockets can be had on this machine itself.
    #[must_use]
    pub fn host_way(&self) -> HostWay {
        match self.0.way() {
            Some(DoorKind::Pkexec) => HostWay::Asks,
            Some(_) => HostWay::Open,
            None => HostWay::Closed,
        }
    }

    /// Delays what the lab's server sends.
    ///
    /// # Errors
    /// Why there is no lab, or that the kernel has no netem.
    pub fn delay_lab(&self, milliseconds: u16) -> Result<(), Failure> {
        Ok(self.door(&Place::Lab)?.delay(milliseconds)?)
    }

    /// The interface of this name.
    ///
    /// # Errors
    /// Names those that there are when it is none of them.
    pub fn interface(&self, place: &Place, name: &str) -> Result<Interface, Failure> {
        let all = self.interfaces(place)?;
        let names: Vec<String> = all.iter().map(|i| i.name.clone()).collect();
        all.into_iter().find(|i| i.name == name).ok_or_else(|| {
            Failure::new(format!("there is no interface {name} on {place}: it has {}", names.join(", ")))
        })
    }

    /// The entries by which the lab stands in the source list before it is made: its interface, and the IP layer.
    #[must_use]
    pub fn lab_sources() -> Vec<Source> {
        let mut all = vec![Source {
            place: Place::Lab,
            listen: Listen::Interface(net::YOU_INTERFACE.into()),
            label: format!("lab: {}", net::YOU_INTERFACE),
            detail: format!("a private network, no privilege needed; server {}", net::SERVER_V4),
        }];
        all.extend(ip_layer(&Place::Lab, "lab: "));
        all
    }

    /// The sources in the network namespaces that have a name, and in the one that the call named. Where looking into one
    /// takes a permission, and where it fails, the list says only that it is there.
    #[must_use]
    pub fn namespace_sources(&self) -> Vec<Source> {
        let there = |name: String| {
            let place = Place::Netns(name);
            let asks = self.door(&place).is_ok_and(|door| door.kind() == DoorKind::Pkexec);
            let known = if asks { None } else { self.sources(&place).ok() };
            known.unwrap_or_else(|| vec![any_source(&place)])
        };
        self.0.namespaces().into_iter().flat_map(there).collect()
    }

    /// The source list of a place: each interface, all of them, and the IP layer.
    ///
    /// # Errors
    /// The system's reason.
    pub fn sources(&self, place: &Place) -> Result<Vec<Source>, Failure> {
        let mut all: Vec<Source> =
            self.interfaces(place)?.iter().map(|i| interface_source(place, i)).collect();
        all.push(any_source(place));
        all.extend(ip_layer(place, &prefix(place)));
        Ok(all)
    }
}

/// What stands before the labels of a place's sources.
fn prefix(place: &Place) -> String {
    match place {
        Place::Host => String::new(),
        Place::Lab => "lab: ".into(),
        Place::Netns(name) => format!("netns {name}: "),
    }
}

fn any_source(place: &Place) -> Source {
    Source {
        place: place.clone(),
        listen: Listen::Any,
        label: format!("{}any", prefix(place)),
        detail: "all interfaces, link layer".into(),
    }
}

/// Whether an address means something only on its link: fe80::/10, and groups of the scopes interface and link (RFC
/// 4291).
fn is_of_a_link(ip: IpAddr) -> bool {
    let IpAddr::V6(ip) = ip else { return false };
    ip.is_unicast_link_local() || ip.is_multicast() && matches!(ip.octets()[1] & 15, 1 | 2)
}

/// The address of an interface to send from: of the destination's kind, and where there is one, of its scope.
fn source_on(interface: &Interface, to: IpAddr) -> Option<IpAddr> {
    let of_kind = || interface.addresses.iter().map(|a| a.ip).filter(|ip| ip.is_ipv4() == to.is_ipv4());
    of_kind().find(|ip| is_of_a_link(*ip) == is_of_a_link(to)).or_else(|| of_kind().next())
}

/// Raw IP sockets, as in the source post: what comes in for a protocol.
fn ip_layer(place: &Place, prefix: &str) -> impl Iterator<Item = Source> {
    [("ICMP", 1), ("TCP", 6), ("UDP", 17)].into_iter().map(move |(name, protocol)| Source {
        place: place.clone(),
        listen: Listen::Ip(vec![protocol]),
        label: format!("{prefix}IP layer: {name}"),
        detail: "raw IP socket: what comes in, without link header".into(),
    })
}

fn interface_source(place: &Place, interface: &Interface) -> Source {
    let addresses: Vec<String> = interface.addresses.iter().map(|a| a.ip.to_string()).collect();
    let state = if interface.running { "" } else { " (down)" };
    Source {
        place: place.clone(),
        listen: Listen::Interface(interface.name.clone()),
        label: prefix(place) + &interface.name,
        detail: format!("{}{state}", addresses.join(", ")),
    }
}
