//! `rawbench read -`: the packets of a stream are printed as they come.

use std::fs::File;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;

use super::super::args::ReadArgs;
use super::super::keys::Meaning;
use super::super::output::{self, Failure, Outcome};
use super::{Printer, first_time, tell_forgotten, tell_fragments, tell_problem, told};
use crate::engine::{Flows, Sieve};
use crate::filter::Filter;
use crate::pcap::{CaptureFile, Keep, Loader};
use crate::wire::reassembly::Reassembler;

/// Prints the packets that pass the filter, to the end of the stream.
pub(super) fn run(args: &ReadArgs, meanings: &[Meaning], filter: Option<Filter>) -> Outcome {
    let name = if args.file.as_os_str() == "-" { Path::new("standard input") } else { &args.file };
    let source: Box<dyn Read + Send> = match args.file.as_os_str() == "-" {
        true => Box::new(std::io::stdin()),
        false => {
            let opened = File::open(&args.file);
            Box::new(
                opened
                    .map_err(|e| Failure::failed(anyhow::anyhow!("cannot open {}: {e}", name.display())))?,
            )
        }
    };
    let (capture, mut loader) = Loader::stream(source, name, Keep::Unnamed).map_err(Failure::failed)?;
    let mut printed = Printed {
        capture: &capture,
        sieve: filter.map(Sieve::new),
        passed: 0,
        packets: 0,
        time: None,
        flows: Flows::default(),
    };
    let (mut out, mut reassembler, mut failed) = (output::out(), Reassembler::default(), None);
    let done = loader.run(&mut |_| match printed.more(args, meanings, &mut reassembler, &mut out) {
        Ok(()) => ControlFlow::Continue(()),
        Err(failure) => {
            failed = Some(failure);
            ControlFlow::Break(())
        }
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    let report = done.map_err(Failure::failed)?;
    tell_fragments(&reassembler);
    tell_forgotten(&printed.flows);
    Ok(tell_problem(&args.file, &report))
}

/// What is printed until now.
struct Printed<'a> {
    capture: &'a CaptureFile,
    sieve: Option<Sieve>,
    /// Packets that passed the filter.
    passed: usize,
    packets: usize,
    /// The time of the last one.
    time: Option<u64>,
    flows: Flows,
}

impl Printed<'_> {
    /// Prints what came since.
    fn more(
        &mut self,
        args: &ReadArgs,
        meanings: &[Meaning],
        reassembler: &mut Reassembler,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        if self.capture.len() == self.packets {
            return Ok(());
        }
        let passed = self.sift()?;
        let index = self.capture.index().snapshot();
        let first_ns = first_time(&index);
        let before_ns = self.time.unwrap_or(first_ns);
        let interfaces = self.capture.interfaces();
        let from = self.packets;
        let flows = told(args, meanings, self.capture, index.len(), &self.flows)?;
        let printer = Printer { args, meanings, first_ns, passed, index, from, before_ns, interfaces, flows };
        printer.run(self.capture, reassembler, out)?;
        out.flush()?;
        self.packets = printer.index.len();
        self.time = Some(printer.index.time_before(self.packets, (from, before_ns)));
        Ok(())
    }

    /// The positions of the new packets that pass the filter, where there is one.
    fn sift(&mut self) -> Result<Option<Vec<usize>>, Failure> {
        let Some(sieve) = &self.sieve else { return Ok(None) };
        for interface in self.capture.interfaces().iter() {
            sieve.filter().suits(interface.link_type.0).map_err(Failure::wrong_call)?;
        }
        sieve.work(self.capture, &self.flows, &|| ());
        if let Some(text) = sieve.problem() {
            return Err(Failure::failed(anyhow::Error::msg(text)));
        }
        let passed: Vec<usize> = (self.passed..sieve.len()).filter_map(|nth| sieve.position(nth)).collect();
        self.passed = sieve.len();
        Ok(Some(passed))
    }
}
