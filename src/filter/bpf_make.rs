//! From the tests of pcap-filter(7) to classic BPF.

use super::bpf::{self, Instruction};
use super::tree::Relation;
use super::words::{Base, FAR, Link, Number, Sum, TAG, Words};

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The bytes of a file, with this link type.
    Bytes(u32),
    /// A packet socket on an interface with this link type: the kernel has taken the outer VLAN tag out of the bytes.
    Interface(u32),
    /// A packet socket on all interfaces, whose link headers differ.
    Any,
}

/// Labels of the two ends; others count on from here.
const PASS: usize = 0;
const DROP: usize = 1;

/// Makes the program. It passes the packets that [`Words::passes`] lets pass, as they are with their VLAN tags put back.
///
/// # Errors
/// Names the part that cannot be said in classic BPF.
pub(super) fn make(words: &Words, target: Target, keep: u32) -> Result<Vec<Instruction>, String> {
    let ethernet_like = |link_type: u32| {
        words.unsuited(link_type).map_or(Ok(()), Err)?;
        Link::of(link_type).ok_or_else(|| format!("link type {link_type} is not known"))
    };
    let mut maker = Maker { ops: Vec::new(), labels: 2, form: Form::Plain(Link::ETHERNET), slot: 0 };
    match target {
        Target::Bytes(link_type) => {
            maker.form = Form::Plain(ethernet_like(link_type)?);
            maker.test(words, PASS, DROP)?;
        }
        Target::Interface(link_type) => {
            let link = ethernet_like(link_type)?;
            maker.form = Form::Plain(link);
            if link == Link::ETHERNET {
                maker.twice(words, Form::Stripped, Form::Plain(link))?;
            } else {
                maker.test(words, PASS, DROP)?;
            }
        }
        Target::Any => maker.twice(words, Form::AnyStripped, Form::Any)?,
    }
    let program = assemble(maker.ops, keep)?;
    if program.len() > bpf::MAX_INSTRUCTIONS {
        return Err(format!(
            "it would have {} instructions, the kernel takes {}",
            program.len(),
            bpf::MAX_INSTRUCTIONS
        ));
    }
    Ok(program)
}

/// A test, or what is known of its result.
enum Folded {
    Known(bool),
    Open(Words),
}

/// What is left of a test where the kernel has taken a VLAN tag out: the outer EtherType is known to be that of a tag.
fn folded(words: &Words, stripped: bool) -> Folded {
    let two = |a: &Words, b: &Words, and: bool| match (folded(a, stripped), folded(b, stripped)) {
        (Folded::Known(a), _) if a != and => Folded::Known(a),
        (Folded::Known(_), b) => b,
        (Folded::Open(a), Folded::Known(b)) if b == and => Folded::Open(a),
        // The first may still end the whole by a load past the end.
        (Folded::Open(_), Folded::Known(_)) => Folded::Open(if and {
            Words::And(Box::new(a.clone()), Box::new(b.clone()))
        } else {
            Words::Or(Box::new(a.clone()), Box::new(b.clone()))
        }),
        (Folded::Open(a), Folded::Open(b)) => Folded::Open(if and { a.and(b) } else { a.or(b) }),
    };
    match words {
        Words::And(a, b) => two(a, b, true),
        Words::Or(a, b) => two(a, b, false),
        Words::Not(a) => match folded(a, stripped) {
            Folded::Known(known) => Folded::Known(!known),
            Folded::Open(open) => Folded::Open(open.negated()),
        },
        Words::Type { number, tags: 0 } if stripped && !TAGS.contains(number) => Folded::Known(false),
        other => Folded::Open(other.clone()),
    }
}

/// EtherTypes of VLAN tags: what the kernel takes out has one of these.
const TAGS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];

/// Where things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// In the bytes, as they are.
    Plain(Link),
    /// Ethernet whose outer tag the kernel has taken out.
    Stripped,
    /// At the network header, whatever stands before it.
    Any,
    /// The same with the outer tag taken out.
    AnyStripped,
}

/// Where a number stands.
enum Spot {
    /// In the packet, from this offset on; what is variable is added.
    At(u32),
    /// It is what the kernel knows.
    Aside(u32),
}

/// An instruction before jumps have distances.
#[derive(Clone, Copy, Debug)]
enum Op {
    Plain(u16, u32),
    /// Goes to the first label when the test holds, else to the second.
    Jump(u16, u32, usize, usize),
    Label(usize),
}

struct Maker {
    ops: Vec<Op>,
    labels: usize,
    form: Form,
    /// The next free word of memory.
    slot: u32,
}

impl Maker {
    fn op(&mut self, code: u16, k: u32) {
        self.ops.push(Op::Plain(code, k));
    }

    fn label(&mut self) -> usize {
        self.labels += 1;
        self.labels - 1
    }

    /// A program for packets whose tag was taken out, and one for the others.
    fn twice(&mut self, words: &Words, stripped: Form, plain: Form) -> Result<(), String> {
        let (with, without) = (self.label(), self.label());
        self.op(bpf::LD | bpf::B | bpf::ABS, bpf::VLAN_PRESENT);
        self.ops.push(Op::Jump(bpf::JMP | bpf::JEQ, 0, without, with));
        for (label, form) in [(with, stripped), (without, plain)] {
            self.ops.push(Op::Label(label));
            self.form = form;
            match folded(words, stripped == form) {
                Folded::Known(passes) => self.goto(if passes { PASS } else { DROP }),
                Folded::Open(words) => self.test(&words, PASS, DROP)?,
            }
        }
        Ok(())
    }

    fn test(&mut self, words: &Words, pass: usize, fail: usize) -> Result<(), String> {
        match words {
            Words::And(a, b) => {
                let next = self.label();
                self.test(a, next, fail)?;
                self.ops.push(Op::Label(next));
                self.test(b, pass, fail)
            }
            Words::Or(a, b) => {
                let next = self.label();
                self.test(a, pass, next)?;
                self.ops.push(Op::Label(next));
                self.test(b, pass, fail)
            }
            Words::Not(a) => self.test(a, fail, pass),
            Words::Type { number, tags } => {
                self.ethertype(*number, *tags, pass, fail);
                Ok(())
            }
            Words::Compare(a, relation, b) => self.compare(a, *relation, b, pass, fail),
        }
    }

    fn ethertype(&mut self, number: u16, tags: usize, pass: usize, fail: usize) {
        let half = bpf::LD | bpf::H | bpf::ABS;
        let tags_offset = |tags: usize| (tags * TAG) as u32;
        match self.form {
            Form::Plain(Link { type_at: Some(at), .. }) => self.op(half, at as u32 + tags_offset(tags)),
            // Only the IP versions can be told apart.
            Form::Plain(_) => {
                let version = match (number, tags) {
                    (0x0800, 0) => 4,
                    (0x86dd, 0) => 6,
                    _ => {
                        self.goto(fail);
                        return;
                    }
                };
                self.op(bpf::LD | bpf::B | bpf::ABS, 0);
                self.op(bpf::ALU | bpf::RSH, 4);
                self.ops.push(Op::Jump(bpf::JMP | bpf::JEQ, version, pass, fail));
                return;
            }
            Form::Stripped | Form::AnyStripped if tags == 0 => self.op(half, bpf::VLAN_TPID),
            Form::Stripped => self.op(half, 12 + tags_offset(tags - 1)),
            Form::Any if tags == 0 => self.op(half, bpf::PROTOCOL),
            Form::Any => self.op(half, bpf::NETWORK + tags_offset(tags) - 2),
            Form::AnyStripped if tags == 1 => self.op(half, bpf::PROTOCOL),
            Form::AnyStripped => self.op(half, bpf::NETWORK + tags_offset(tags - 1) - 2),
        }
        self.ops.push(Op::Jump(bpf::JMP | bpf::JEQ, u32::from(number), pass, fail));
    }

    fn goto(&mut self, label: usize) {
        self.ops.push(Op::Jump(bpf::JMP | bpf::JA, 0, label, label));
    }

    fn compare(
        &mut self,
        a: &Number,
        relation: Relation,
        b: &Number,
        pass: usize,
        fail: usize,
    ) -> Result<(), String> {
        let (code, turned) = match relation {
            Relation::Equal => (bpf::JEQ, false),
            Relation::Unequal => (bpf::JEQ, true),
            Relation::Above => (bpf::JGT, false),
            Relation::AtMost => (bpf::JGT, true),
            Relation::AtLeast => (bpf::JGE, false),
            Relation::Below => (bpf::JGE, true),
        };
        let (pass, fail) = if turned { (fail, pass) } else { (pass, fail) };
        if let Number::Constant(constant) = b {
            self.number(a)?;
            self.ops.push(Op::Jump(bpf::JMP | code, *constant, pass, fail));
            return Ok(());
        }
        self.pair(a, b)?;
        self.ops.push(Op::Jump(bpf::JMP | code | bpf::X, 0, pass, fail));
        Ok(())
    }

    /// The one number in A, the other in X. The first is made first: which load fails first makes no difference.
    fn pair(&mut self, a: &Number, b: &Number) -> Result<(), String> {
        self.number(b)?;
        let slot = self.keep()?;
        self.number(a)?;
        self.op(bpf::LDX | bpf::W | bpf::MEM, slot);
        self.slot = slot;
        Ok(())
    }

    /// Puts A into memory.
    fn keep(&mut self) -> Result<u32, String> {
        let slot = self.slot;
        if slot >= 16 {
            return Err("the arithmetic needs more than the 16 words of memory that BPF has".into());
        }
        self.op(bpf::ST, slot);
        self.slot += 1;
        Ok(slot)
    }

    /// A number, in A.
    fn number(&mut self, number: &Number) -> Result<(), String> {
        match number {
            Number::Constant(constant) => self.op(bpf::LD | bpf::W | bpf::IMM, *constant),
            Number::Length => {
                self.op(bpf::LD | bpf::W | bpf::LEN, 0);
                if matches!(self.form, Form::Stripped | Form::AnyStripped) {
                    self.op(bpf::ALU | bpf::ADD, TAG as u32);
                }
            }
            Number::Load { base, at, size } => self.load(*base, at, *size)?,
            Number::Binary(sum, a, b) => {
                let code = match sum {
                    Sum::Add => bpf::ADD,
                    Sum::Subtract => bpf::SUB,
                    Sum::Multiply => bpf::MUL,
                    Sum::Divide => bpf::DIV,
                    Sum::Remainder => bpf::MOD,
                    Sum::And => bpf::AND,
                    Sum::Or => bpf::OR,
                    Sum::Xor => bpf::XOR,
                    Sum::Left => bpf::LSH,
                    Sum::Right => bpf::RSH,
                };
                if let Number::Constant(constant) = **b {
                    self.number(a)?;
                    self.op(bpf::ALU | code, constant);
                } else if matches!(sum, Sum::Left | Sum::Right) {
                    return Err("the kernel shifts by a number out of the packet in its own way".into());
                } else {
                    self.pair(a, b)?;
                    self.op(bpf::ALU | code | bpf::X, 0);
                }
            }
        }
        Ok(())
    }

    fn load(&mut self, base: Base, at: &Number, size: usize) -> Result<(), String> {
        let width = match size {
            1 => bpf::B,
            2 => bpf::H,
            _ => bpf::W,
        };
        let fixed = if let Number::Constant(at) = at { Some(*at) } else { None };
        if let Some(fixed) = fixed.filter(|f| *f >= FAR) {
            return Err(format!("an offset of {fixed} is outside of every packet"));
        }
        let spot = self.spot(base, fixed, size)?;
        let start = match spot {
            Spot::Aside(k) => {
                self.op(bpf::LD | bpf::H | bpf::ABS, k);
                return Ok(());
            }
            Spot::At(start) => start,
        };
        let behind = matches!(base, Base::Transport(_));
        match (fixed, behind) {
            (Some(at), false) => self.op(bpf::LD | width | bpf::ABS, start.wrapping_add(at)),
            (Some(at), true) => {
                self.op(bpf::LDX | bpf::B | bpf::MSH, start);
                self.op(bpf::LD | width | bpf::IND, start.wrapping_add(at));
            }
            (None, behind) => {
                self.number(at)?;
                // An offset that was calculated may be one of those that mean something else to the kernel.
                let near = self.label();
                self.ops.push(Op::Jump(bpf::JMP | bpf::JGE, FAR, DROP, near));
                self.ops.push(Op::Label(near));
                if behind {
                    self.op(bpf::LDX | bpf::B | bpf::MSH, start);
                    self.op(bpf::ALU | bpf::ADD | bpf::X, 0);
                }
                self.op(bpf::MISC, 0);
                self.op(bpf::LD | width | bpf::IND, start);
            }
        }
        Ok(())
    }

    /// Where a base is. `at`: the offset, where it is fixed.
    fn spot(&self, base: Base, at: Option<u32>, size: usize) -> Result<Spot, String> {
        let tag = |tags: usize| (tags * TAG) as u32;
        let network = |tags: usize| match self.form {
            Form::Plain(link) => link.len as u32 + tag(tags),
            Form::Stripped => 14 + tag(tags) - TAG as u32,
            Form::Any => bpf::NETWORK + tag(tags),
            Form::AnyStripped => bpf::NETWORK + tag(tags) - TAG as u32,
        };
        let stripped = matches!(self.form, Form::Stripped | Form::AnyStripped);
        match (base, self.form) {
            (Base::Link, Form::Any | Form::AnyStripped) => {
                Err("on all interfaces there is no link header that all have: choose an interface".into())
            }
            // The first twelve bytes are before the tag, what is behind it stands four bytes nearer.
            (Base::Link, Form::Stripped) => match at {
                Some(at) if at as usize + size <= 12 => Ok(Spot::At(0)),
                Some(12) if size == 2 => Ok(Spot::Aside(bpf::VLAN_TPID)),
                Some(14) if size == 2 => Ok(Spot::Aside(bpf::VLAN_TAG)),
                Some(at) if at >= 16 => Ok(Spot::At(0u32.wrapping_sub(TAG as u32))),
                _ => Err("the kernel keeps the outer VLAN tag apart: these bytes of the link header are not in one place".into()),
            },
            (Base::Link, Form::Plain(_)) => Ok(Spot::At(0)),
            // Behind no tag at all stands the tag itself; what else would stand there no test reaches.
            (Base::Network(0), _) if stripped && at == Some(0) && size == 2 => Ok(Spot::Aside(bpf::VLAN_TAG)),
            (Base::Network(0) | Base::Transport(0), _) if stripped => Ok(Spot::At(network(1))),
            (Base::Network(tags) | Base::Transport(tags), _) => Ok(Spot::At(network(tags))),
        }
    }
}

/// Gives jumps their distances. A test jumps 255 instructions at the most; where that is too little, `ja` goes on.
fn assemble(ops: Vec<Op>, keep: u32) -> Result<Vec<Instruction>, String> {
    let mut ops = ops;
    ops.push(Op::Label(PASS));
    ops.push(Op::Plain(bpf::RET, keep));
    ops.push(Op::Label(DROP));
    ops.push(Op::Plain(bpf::RET, 0));
    let labels =
        ops.iter().filter_map(|o| if let Op::Label(l) = o { Some(*l + 1) } else { None }).max().unwrap_or(0);
    // Which tests need a `ja` for their yes and their no.
    let mut long = vec![(false, false); ops.len()];
    loop {
        let (mut places, mut starts, mut at) = (vec![0usize; labels], vec![0usize; ops.len()], 0usize);
        for (i, op) in ops.iter().enumerate() {
            starts[i] = at;
            match op {
                Op::Label(label) => places[*label] = at,
                Op::Plain(..) => at += 1,
                Op::Jump(code, ..) if *code == bpf::JMP | bpf::JA => at += 1,
                Op::Jump(..) => at += 1 + usize::from(long[i].0) + usize::from(long[i].1),
            }
        }
        let mut changed = false;
        for (i, op) in ops.iter().enumerate() {
            if let Op::Jump(code, _, yes, no) = op
                && *code != bpf::JMP | bpf::JA
            {
                let far = |label: usize| places[label].saturating_sub(starts[i] + 1) > 255;
                let wanted = (long[i].0 || far(*yes), long[i].1 || far(*no));
                changed |= wanted != long[i];
                long[i] = wanted;
            }
        }
        if !changed {
            return Ok(emit(&ops, &places, &starts, &long));
        }
    }
}

fn emit(ops: &[Op], places: &[usize], starts: &[usize], long: &[(bool, bool)]) -> Vec<Instruction> {
    let mut program = Vec::new();
    for (i, op) in ops.iter().enumerate() {
        match *op {
            Op::Label(_) => {}
            Op::Plain(code, k) => program.push(Instruction { code, k, ..Instruction::default() }),
            Op::Jump(code, _, to, _) if code == bpf::JMP | bpf::JA => {
                let k = (places[to] - starts[i] - 1) as u32;
                program.push(Instruction { code, k, ..Instruction::default() });
            }
            Op::Jump(code, k, yes, no) => {
                let after = starts[i] + 1;
                let (first, second) = long[i];
                // The `ja` of the yes stands right behind the test, that of the no behind it.
                let jt = if first { 0 } else { places[yes] - after };
                let jf = if second { usize::from(first) } else { places[no] - after };
                program.push(Instruction { code, jt: jt as u8, jf: jf as u8, k });
                let further = [first.then_some(yes), second.then_some(no)].into_iter().flatten();
                for (at, label) in (after..).zip(further) {
                    let k = (places[label] - at - 1) as u32;
                    program.push(Instruction { code: bpf::JMP | bpf::JA, k, ..Instruction::default() });
                }
            }
        }
    }
    program
}
