//! Classic BPF: instructions, and their text as `tcpdump -d` prints it. linux/filter.h, bpf(4).

use std::fmt::Write as _;

/// An instruction (struct sock_filter).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// Class, size, mode or operation.
    pub code: u16,
    /// Instructions to skip when the test holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// Most instructions that the kernel takes (BPF_MAXINSNS).
pub const MAX_INSTRUCTIONS: usize = 4096;

/// What a packet that passes gives back: as many bytes as any packet has.
pub const ALL_BYTES: u32 = 262_144;

// Instruction classes.
pub(super) const LD: u16 = 0x00;
pub(super) const LDX: u16 = 0x01;
pub(super) const ST: u16 = 0x02;
pub(super) const STX: u16 = 0x03;
pub(super) const ALU: u16 = 0x04;
pub(super) const JMP: u16 = 0x05;
pub(super) const RET: u16 = 0x06;
pub(super) const MISC: u16 = 0x07;
// Sizes.
pub(super) const W: u16 = 0x00;
pub(super) const H: u16 = 0x08;
pub(super) const B: u16 = 0x10;
// Modes.
pub(super) const IMM: u16 = 0x00;
pub(super) const ABS: u16 = 0x20;
pub(super) const IND: u16 = 0x40;
pub(super) const MEM: u16 = 0x60;
pub(super) const LEN: u16 = 0x80;
pub(super) const MSH: u16 = 0xa0;
// The operand is X.
pub(super) const X: u16 = 0x08;
// Operations.
pub(super) const ADD: u16 = 0x00;
pub(super) const SUB: u16 = 0x10;
pub(super) const MUL: u16 = 0x20;
pub(super) const DIV: u16 = 0x30;
pub(super) const OR: u16 = 0x40;
pub(super) const AND: u16 = 0x50;
pub(super) const LSH: u16 = 0x60;
pub(super) const RSH: u16 = 0x70;
pub(super) const NEG: u16 = 0x80;
pub(super) const MOD: u16 = 0x90;
pub(super) const XOR: u16 = 0xa0;
// Jumps.
pub(super) const JA: u16 = 0x00;
pub(super) const JEQ: u16 = 0x10;
pub(super) const JGT: u16 = 0x20;
pub(super) const JGE: u16 = 0x30;
pub(super) const JSET: u16 = 0x40;
// Returned is A.
pub(super) const RET_A: u16 = 0x10;
pub(super) const TXA: u16 = 0x80;
// The kernel's own offsets (linux/filter.h): what is known of a packet beside its bytes, and its network header.
pub(super) const AUXILIARY: u32 = 0xffff_f000;
pub(super) const PROTOCOL: u32 = AUXILIARY;
pub(super) const VLAN_TAG: u32 = AUXILIARY + 44;
pub(super) const VLAN_PRESENT: u32 = AUXILIARY + 48;
pub(super) const VLAN_TPID: u32 = AUXILIARY + 60;
pub(super) const NETWORK: u32 = 0xfff0_0000;

/// What the kernel knows of a packet beside its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// The VLAN tag that was taken out of it: its EtherType and its two bytes.
    pub vlan: Option<(u16, u16)>,
    /// The EtherType of what follows the link header.
    pub protocol: u16,
    /// Offset of the network header, in bytes.
    pub network: usize,
}

/// What the program gives back for a packet, with the kernel's semantics: how many of its bytes are kept, 0 for none. A load
/// past the end, a division by zero and a program that is none end with 0. `length`: on the wire, in bytes.
#[must_use]
pub fn run(program: &[Instruction], bytes: &[u8], length: u32, aside: &Aside) -> u32 {
    let (mut a, mut x, mut memory) = (0u32, 0u32, [0u32; 16]);
    let mut next = 0usize;
    // Jumps go forward only, so this ends.
    while let Some(Instruction { code, jt, jf, k }) = program.get(next).copied() {
        next += 1;
        let operand = if code & X == 0 { k } else { x };
        let load = |at: u32, size| load(bytes, at, size, aside);
        let slot = k as usize & 15;
        match code & 7 {
            LD => {
                let size = match code & 0x18 {
                    W => 4,
                    H => 2,
                    _ => 1,
                };
                let value = match code & 0xe0 {
                    IMM => Some(k),
                    ABS => load(k, size),
                    IND => load(k.wrapping_add(x), size),
                    MEM => Some(memory[slot]),
                    LEN => Some(length),
                    _ => None,
                };
                let Some(value) = value else { return 0 };
                a = value;
            }
            LDX => {
                let value = match code & 0xe0 {
                    IMM => Some(k),
                    MEM => Some(memory[slot]),
                    LEN => Some(length),
                    MSH => load(k, 1).map(|byte| (byte & 0xf) << 2),
                    _ => None,
                };
                let Some(value) = value else { return 0 };
                x = value;
            }
            ST => memory[slot] = a,
            STX => memory[slot] = x,
            ALU => {
                let Some(value) = calculate(code & 0xf0, a, operand) else { return 0 };
                a = value;
            }
            JMP => {
                let holds = match code & 0xf0 {
                    JA => {
                        next = next.saturating_add(k as usize);
                        continue;
                    }
                    JEQ => a == operand,
                    JGT => a > operand,
                    JGE => a >= operand,
                    JSET => a & operand != 0,
                    _ => return 0,
                };
                next += usize::from(if holds { jt } else { jf });
            }
            RET => return if code & 0x18 == RET_A { a } else { k },
            _ if code & 0xf8 == TXA => a = x,
            _ => x = a,
        }
    }
    0
}

fn calculate(operation: u16, a: u32, b: u32) -> Option<u32> {
    Some(match operation {
        ADD => a.wrapping_add(b),
        SUB => a.wrapping_sub(b),
        MUL => a.wrapping_mul(b),
        DIV => a.checked_div(b)?,
        MOD => a.checked_rem(b)?,
        OR => a | b,
        AND => a & b,
        XOR => a ^ b,
        LSH => a.checked_shl(b).unwrap_or(0),
        RSH => a.checked_shr(b).unwrap_or(0),
        NEG => a.wrapping_neg(),
        _ => return None,
    })
}

fn load(bytes: &[u8], at: u32, size: usize, aside: &Aside) -> Option<u32> {
    let known = match at {
        PROTOCOL => Some(u32::from(aside.protocol)),
        VLAN_PRESENT => Some(u32::from(aside.vlan.is_some())),
        VLAN_TAG => Some(aside.vlan.map_or(0, |v| u32::from(v.1))),
        VLAN_TPID => Some(aside.vlan.map_or(0, |v| u32::from(v.0))),
        _ => None,
    };
    if known.is_some() || at >= AUXILIARY {
        return known;
    }
    let at = if at >= NETWORK { aside.network + (at - NETWORK) as usize } else { at as usize };
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)))
}

/// The program as `tcpdump -d` prints it.
#[must_use]
pub fn text(program: &[Instruction]) -> String {
    let mut out = String::new();
    for (number, instruction) in program.iter().enumerate() {
        let (name, operand) = words(instruction, number);
        let Instruction { code, jt, jf, .. } = *instruction;
        let line = if code & 7 == JMP && code & 0xf0 != JA {
            let (to, otherwise) = (number + 1 + usize::from(jt), number + 1 + usize::from(jf));
            format!("({number:03}) {name:<8} {operand:<16} jt {to}\tjf {otherwise}")
        } else {
            format!("({number:03}) {name:<8} {operand}")
        };
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// Name and operand of an instruction.
fn words(instruction: &Instruction, number: usize) -> (&'static str, String) {
    let Instruction { code, k, .. } = *instruction;
    let aside = match k {
        PROTOCOL => Some("proto"),
        VLAN_PRESENT => Some("vlan_tag_present"),
        VLAN_TAG => Some("vlan_tag"),
        VLAN_TPID => Some("vlan_proto"),
        _ => None,
    };
    let place = || match (aside, k) {
        (Some(name), _) => format!("[{name}]"),
        (None, NETWORK..) => format!("[net + {}]", k - NETWORK),
        (None, _) => format!("[{k}]"),
    };
    let operand = |hex: bool| match (code & X != 0, hex) {
        (true, _) => "x".to_owned(),
        (false, true) => format!("#{k:#x}"),
        (false, false) => format!("#{k}"),
    };
    match code & 7 {
        LD => {
            let name = match code & 0x18 {
                W => "ld",
                H => "ldh",
                _ => "ldb",
            };
            match code & 0xe0 {
                ABS => (name, place()),
                IND if k >= NETWORK => (name, format!("[x + net + {}]", k - NETWORK)),
                IND => (name, format!("[x + {k}]")),
                IMM => (name, format!("#{k:#x}")),
                LEN => (name, "#pktlen".into()),
                _ => (name, format!("M[{k}]")),
            }
        }
        LDX if code & 0xe0 == MSH => ("ldxb", format!("4*({}&0xf)", place())),
        LDX if code & 0xe0 == MEM => ("ldx", format!("M[{k}]")),
        LDX => ("ldx", format!("#{k:#x}")),
        ST => ("st", format!("M[{k}]")),
        STX => ("stx", format!("M[{k}]")),
        ALU => match code & 0xf0 {
            ADD => ("add", operand(false)),
            SUB => ("sub", operand(false)),
            MUL => ("mul", operand(false)),
            DIV => ("div", operand(false)),
            MOD => ("mod", operand(false)),
            OR => ("or", operand(true)),
            AND => ("and", operand(true)),
            XOR => ("xor", operand(true)),
            LSH => ("lsh", operand(false)),
            RSH => ("rsh", operand(false)),
            _ => ("neg", String::new()),
        },
        JMP => match code & 0xf0 {
            JA => ("ja", (number + 1 + k as usize).to_string()),
            JEQ => ("jeq", operand(true)),
            JGT => ("jgt", operand(true)),
            JGE => ("jge", operand(true)),
            _ => ("jset", operand(true)),
        },
        RET if code & 0x18 == RET_A => ("ret", String::new()),
        RET => ("ret", format!("#{k}")),
        _ if code & 0xf8 == TXA => ("txa", String::new()),
        _ => ("tax", String::new()),
    }
}
