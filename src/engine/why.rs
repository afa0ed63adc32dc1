//! Why a packet is an answer to another, in a sentence with the numbers. Pure.

use super::heads::{Body, Heads, Segment, network};
use super::probe::{AnswerKind, Ip, Question};
use super::roles::{Role, What};

/// A packet: its link type as capture files number it, and its bytes.
pub type Bytes<'a> = (u32, &'a [u8]);

impl Role {
    /// Why a packet has this role: the rule, with the numbers of both. `question` and `other` are the packets of the exchange;
    /// `None`: one of them cannot be read, or there is nothing to say.
    #[must_use]
    pub fn why(&self, question: Bytes<'_>, other: Option<Bytes<'_>>) -> Option<String> {
        let asked = Heads::read(network(question.0, question.1)?)?;
        let ip = Ip::of(&asked);
        let number = self.exchange.position + 1;
        let reply = other.and_then(|(link, bytes)| Heads::read(network(link, bytes)?));
        if let Some(What::KernelReset) = self.what {
            return Some(reset(&ip, number, self.exchange.ours));
        }
        let reply = reply?;
        match (self.what, ip.judge(&reply)) {
            (_, Some(kind)) => Some(reason(&ip, &reply, kind)),
            (None, None) => settled(&ip, &reply),
            (_, None) => Some(stray(&ip, &reply, number)),
        }
    }
}

fn reason(ip: &Ip, reply: &Heads<'_>, kind: AnswerKind) -> String {
    if let Body::IcmpError { .. } = reply.body {
        return quoted(ip, if reply.source.is_ipv4() { "RFC 792" } else { "RFC 4443 2.4" });
    }
    match (ip.question, reply.body) {
        (Question::Tcp(asked), Body::Tcp(answer)) if kind == AnswerKind::Reset => {
            reset_reason(&asked, &answer)
        }
        (Question::Tcp(asked), Body::Tcp(answer)) => acknowledges(&asked, &answer),
        (Question::Udp { source, destination }, _) => {
            format!("from port {destination} to port {source}, as the datagram went the other way (RFC 768)")
        }
        (Question::Icmp { target: Some(target), .. }, _) => {
            format!("tells of {target}, which was asked for (RFC 4861 7.2.4)")
        }
        (Question::Icmp { ident, sequence, .. }, _) => {
            let rule = if reply.source.is_ipv4() { "RFC 792" } else { "RFC 4443 4.2" };
            format!("its identifier {ident} and sequence number {sequence} are those of the request ({rule})")
        }
        _ => format!("of the same IP protocol ({}), from the host that was asked", ip.protocol),
    }
}

/// Section of RFC 9293 that says how a segment is acknowledged: in SYN-SENT, and in a connection.
fn section(answer: &Segment) -> &'static str {
    if answer.has(Segment::SYN) { "3.10.7.3" } else { "3.10.7.4" }
}

fn acknowledges(asked: &Segment, answer: &Segment) -> String {
    if answer.acknowledgment != asked.end() {
        // Data in a SYN may be left out.
        let sequence = asked.sequence;
        let text = format!("acknowledges {} = sequence {sequence} + SYN 1", answer.acknowledgment);
        return format!("{text}, and not its {} bytes (RFC 7413 4.2.2)", asked.payload);
    }
    format!("acknowledges {} (RFC 9293 {})", sum(asked), section(answer))
}

/// The number behind a segment, and what it is made of.
fn sum(asked: &Segment) -> String {
    let mut text = format!("{} = sequence {}", asked.end(), asked.sequence);
    let flags = [(Segment::SYN, "SYN"), (Segment::FIN, "FIN")];
    for (_, name) in flags.into_iter().filter(|(flag, _)| asked.has(*flag)) {
        text += &format!(" + {name} 1");
    }
    match asked.payload {
        0 => {}
        1 => text += " + 1 byte",
        bytes => text += &format!(" + {bytes} bytes"),
    }
    if asked.end() < asked.sequence {
        text += " modulo 2^32";
    }
    text
}

fn reset_reason(asked: &Segment, answer: &Segment) -> String {
    let mut reasons = Vec::new();
    if asked.has(Segment::ACK) {
        reasons.push(format!("its sequence number {} is what was acknowledged", answer.sequence));
    }
    if answer.has(Segment::ACK) {
        reasons.push(format!("acknowledges {}", sum(asked)));
    }
    format!("{} (RFC 9293 3.10.7.1)", reasons.join(", and "))
}

fn quoted(ip: &Ip, rule: &str) -> String {
    let to = ip.destination;
    let what = match ip.question {
        Question::Tcp(s) => format!("ports {} to {}, sequence {}", s.source, s.destination, s.sequence),
        Question::Udp { source, destination } => format!("ports {source} to {destination}"),
        Question::Icmp { ident, sequence, .. } => {
            format!("identifier {ident}, sequence number {sequence}")
        }
        Question::Silent | Question::Protocol => format!("IP protocol {}", ip.protocol),
    };
    format!("quotes the packet: to {to}, {what} ({rule})")
}

/// A question that was acknowledged together with a later one.
fn settled(ip: &Ip, reply: &Heads<'_>) -> Option<String> {
    let (Question::Tcp(asked), Body::Tcp(answer)) = (ip.question, reply.body) else { return None };
    let (end, upto) = (asked.end(), answer.acknowledgment);
    Some(format!(
        "acknowledged with a later segment: all before {upto} is, and this one ends at {end} (RFC 9293 3.4); no round-trip time \
         of its own"
    ))
}

fn stray(ip: &Ip, reply: &Heads<'_>, number: u32) -> String {
    match (ip.question, reply.body) {
        (Question::Tcp(asked), Body::Tcp(answer)) if answer.has(Segment::ACK) => format!(
            "from the other end of packet {number}, but acknowledges {}: that packet ends at {}",
            answer.acknowledgment,
            sum(&asked)
        ),
        (Question::Tcp(_), Body::Tcp(answer)) if answer.has(Segment::RST) => format!(
            "from the other end of packet {number}, but its sequence number {} is none that was acknowledged",
            answer.sequence
        ),
        _ => format!("from the other end of packet {number}, but answers nothing that was sent there"),
    }
}

fn reset(ip: &Ip, number: u32, ours: bool) -> String {
    let port = match ip.question {
        Question::Tcp(segment) => segment.source,
        _ => 0,
    };
    match ours {
        true => format!(
            "packet {number} was sent past the kernel, which knows nothing of this connection and refuses what comes back \
             (RFC 9293 3.10.7.1). Hold port {port} to prevent it (Ctrl+H)"
        ),
        false => format!(
            "a bare RST to the SYN-ACK that answers packet {number}: the kernel of its sender knows nothing of this connection \
             (RFC 9293 3.10.7.1)"
        ),
    }
}
