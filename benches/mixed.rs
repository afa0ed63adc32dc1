//! Packets for measurements: a mix of flows as in an office, TCP with time stamps, UDP and ICMP over IPv4 and IPv6, 0 to
//! 1400 bytes of payload.

use rawbench::craft::Draft;
use rawbench::craft::build::Sources;

/// Packets of the mix take nothing from elsewhere.
struct NoSources;

impl Sources for NoSources {
    fn random(&mut self, count: usize) -> Vec<u8> {
        vec![0; count]
    }

    fn file(&mut self, _path: &str) -> Result<Vec<u8>, String> {
        Err("there are no files here".into())
    }
}

/// Packets one after the other in one piece of memory.
pub struct Packets {
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// Where each ends.
    pub ends: Vec<usize>,
}

impl Packets {
    /// So many, the same in each run.
    pub fn mixed(count: usize) -> Self {
        let mut dice = fastrand::Rng::with_seed(7);
        let kinds: Vec<Vec<u8>> = (0..2_000).map(|_| packet(&mut dice)).collect();
        let mut all = Self { bytes: Vec::new(), ends: Vec::new() };
        for _ in 0..count {
            all.bytes.extend(&kinds[dice.usize(0..kinds.len())]);
            all.ends.push(all.bytes.len());
        }
        all
    }

    /// The bytes of each.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

fn packet(dice: &mut fastrand::Rng) -> Vec<u8> {
    let size = [0, 0, 0, 40, 200, 512, 1400, 1400][dice.usize(0..8)];
    let (port, seq) = (dice.u16(1024..), dice.u32(..));
    let v6 = dice.f32() < 0.15;
    let upper = match dice.f32() {
        f if f < 0.7 => {
            let options = if dice.f32() < 0.3 { "" } else { "nop, nop, ts(5, 6)" };
            let flags = ["S", "S.", ".", "P.", "F.", "R"][dice.usize(0..6)];
            let to = [80, 443, 22, 8080][dice.usize(0..4)];
            format!("tcp(srcport={port}, dstport={to}, seq={seq}, flags={flags}, options=[{options}])")
        }
        f if f < 0.92 => format!("udp(srcport={port}, dstport=4000)"),
        _ if v6 => format!("icmpv6(type=128, seq={port})"),
        _ => format!("icmp(type=8, seq={port})"),
    };
    let host = dice.u8(1..255);
    let network = if v6 {
        format!("ipv6(src=fd00::{host}, dst=fd00::1:2)")
    } else {
        format!("ip(src=10.1.2.{host}, dst=192.168.1.2, id={port}, flags=D)")
    };
    let notation =
        format!("eth(src=02:00:00:00:00:01, dst=02:00:00:00:00:02)/{network}/{upper}/zero({size})");
    Draft::from_notation(&notation, &mut NoSources).unwrap().bytes().to_vec()
}
