//! The engine as the window sees it: orders in, events out, everything that may block on threads of its own.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::counters::Counters;
use super::errands::{follow, save, seek, seek_next, trace, transmit};
use super::exchanges::Exchanges;
use super::find::{Hit, Search};
use super::flows::Flows;
use super::guard::{Guard, Port};
use super::limits::Terms;
use super::post::{Post, QUEUE, Waker, thread};
use super::reading::{Desk, Reading, What};
use super::reassembly::Reassembly;
use super::recorder::{End, Recorder};
use super::recording::Recording;
use super::screen;
use super::sent::Sent;
use super::sieve::Sieve;
use super::sorter::Sorter;
use super::sources::{Access, Failure, HostWay, Listen, Neighbourhood, Source, Via};
use super::tap::Settings;
use super::transmitter::Frame;
use crate::net::Place;
use crate::pcap::{CaptureFile, LeftSpool, Report, Saved};

/// Something to do.
#[derive(Debug)]
pub enum Order {
    /// List the sources.
    Sources,
    /// Find the way to a destination.
    Explore {
        /// From where.
        place: Place,
        /// To where.
        destination: IpAddr,
        /// How the packet will be sent.
        via: Via,
        /// A person may be asked for a permission that looking takes.
        asking: bool,
    },
    /// Have the lab's server answer that many milliseconds later.
    DelayLab(u16),
    /// Hold a TCP port against the kernel's resets, and no other; `None`: none.
    Hold(Option<Port>),
    /// Start a capture into a spool. One that runs is ended first.
    Capture {
        /// From what.
        source: Source,
        /// Where to, which packets, and for how long.
        terms: Box<Terms>,
        /// Comes back in the events about it.
        generation: u64,
    },
    /// End the capture.
    Stop,
    /// Send a frame.
    Send {
        /// Where.
        place: Place,
        /// How.
        via: Via,
        /// What.
        frame: Frame,
    },
    /// Open a capture file; `-`: standard input.
    Open {
        /// Which.
        path: PathBuf,
        /// Where the packets of one that comes through a pipe are kept.
        directory: PathBuf,
        /// Comes back in the events about it.
        generation: u64,
    },
    /// Find the other fragments of a packet's datagram. A later one of these orders ends the search of an earlier one.
    Reassemble {
        /// In which capture.
        file: CaptureFile,
        /// Position of the packet, from 0.
        position: usize,
        /// Comes back in the event about it.
        ask: u64,
    },
    /// Find out which packets pass a filter. The sieve has been begun, and says itself when it is wanted no more.
    Sift {
        /// Of which capture.
        file: CaptureFile,
        /// Its flows, for a filter that looks at them.
        flows: Arc<Flows>,
        /// Which filter, and what is known already.
        sieve: Arc<Sieve>,
    },
    /// Find out what is asked of the flows of a capture, as long as anybody else has them.
    Follow {
        /// Of which capture.
        file: CaptureFile,
        /// What is known already, and what is asked for.
        flows: Arc<Flows>,
    },
    /// Sort the rows of a list. The sorter has been begun, and says itself when it is wanted no more.
    Sort {
        /// Of which capture.
        file: CaptureFile,
        /// Which of its packets are rows; none: all.
        sieve: Option<Arc<Sieve>>,
        /// What is known of its packets from those before.
        flows: Arc<Flows>,
        /// By what, and what is known already.
        sorter: Arc<Sorter>,
    },
    /// Find the next packet that passes a filter.
    Find {
        /// In which capture.
        file: CaptureFile,
        /// What, and from where on.
        search: Box<Search>,
        /// Comes back in the event about it.
        ask: u64,
        /// Set when nobody wants to know any more: no event follows.
        cancelled: Arc<AtomicBool>,
    },
    /// Find out what the packets of a capture are to those that were sent, as long as anybody else wants to know. The
    /// exchanges have been begun.
    Trace {
        /// Of which capture.
        file: CaptureFile,
        /// What is known already.
        exchanges: Arc<Exchanges>,
    },
    /// Write the exchanges of a capture to a file, in the format that its name asks for.
    Export {
        /// Of which capture.
        file: CaptureFile,
        /// What is known of them.
        exchanges: Arc<Exchanges>,
        /// Where.
        path: PathBuf,
    },
    /// Look for spools in this directory that a killed program left behind.
    FindLeft(PathBuf),
    /// Save a capture.
    Save {
        /// Which.
        file: CaptureFile,
        /// Where.
        path: PathBuf,
        /// Comes back in the event about it.
        save: u64,
    },
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The source list; whether raw sockets can be had on this machine itself.
    Sources(Result<Vec<Source>, Failure>, HostWay),
    /// The way to a destination.
    Explored {
        /// From where.
        place: Place,
        /// To where.
        destination: IpAddr,
        /// How the packet will be sent.
        via: Via,
        /// What was found.
        found: Neighbourhood,
    },
    /// A capture runs.
    Started {
        /// From what.
        source: Source,
        /// Its packets, as they come.
        file: CaptureFile,
        /// What it counts.
        counters: Arc<Counters>,
        /// As in the order.
        generation: u64,
    },
    /// The capture of this generation could not be started.
    NotStarted(u64, Failure),
    /// The capture of this generation is over; comes after its [`Event::Started`].
    Ended(u64, End),
    /// A frame was handed to the kernel: its size.
    Sent(usize),
    /// A frame was not sent.
    NotSent(Failure),
    /// The lab's server answers that many milliseconds later, or why it does not.
    Delayed(Result<u16, Failure>),
    /// This port is held, or why it is not; `None`: none is.
    Held(Option<Port>, Result<(), Failure>),
    /// The file of this generation is open; its packets come while it is read.
    Opened(u64, CaptureFile),
    /// A capture comes through a pipe or from another machine; [`Event::Ended`] says when it is over.
    Streaming {
        /// What it comes from, for a person.
        source: String,
        /// Its packets, as they come.
        file: CaptureFile,
        /// As in the order.
        generation: u64,
    },
    /// It is read to its end; where it grows, more comes.
    Loaded(u64, Report),
    /// Something happened to the open file of this generation.
    FileNews(u64, Failure),
    /// It cannot be opened or read.
    NotOpened(u64, Failure),
    /// What the packet of this order is a fragment of.
    Reassembled(u64, Result<Reassembly, Failure>),
    /// What was found for the order of this number; none: nothing.
    Found(u64, Result<Option<Hit>, Failure>),
    /// Spools that a killed program left behind; none: nothing is said.
    Left(Vec<LeftSpool>),
    /// A capture is saved.
    Saved {
        /// Where.
        path: PathBuf,
        /// How much.
        saved: Saved,
        /// As in the order.
        save: u64,
    },
    /// It is not.
    NotSaved(u64, Failure),
    /// So many exchanges stand in this file, or why they do not.
    Exported(PathBuf, Result<usize, Failure>),
}

/// The threads behind a window.
pub struct Engine {
    control: Sender<Order>,
    transmitter: Sender<Order>,
    desk: Desk,
    pub(super) post: Post,
    saver: Sender<Order>,
    reassembler: Sender<Order>,
    sifter: Sender<Order>,
    follower: Sender<Order>,
    sorter: Sender<Order>,
    finder: Sender<Order>,
    matcher: Sender<Order>,
    /// What was sent and was not seen yet.
    pub(super) sent: Arc<Sent>,
    pub(super) access: Arc<Access>,
    /// The newest datagram that was asked for.
    sought: Arc<AtomicU64>,
    events: Receiver<Event>,
}

impl Engine {
    /// Starts the threads. They end when the engine is dropped.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(access: Access, wake: Waker) -> Result<Self, Failure> {
        let access = Arc::new(access);
        let (event, events) = bounded(QUEUE);
        let post = Post { event, wake };
        let control = {
            let (access, post) = (Arc::clone(&access), post.clone());
            thread("control", move |orders| {
                Control { access, post, recording: None, guard: Guard::default() }.run(&orders);
            })?
        };
        // A thread of its own: nothing that is read keeps anybody from saving.
        let saver = {
            let post = post.clone();
            thread("saver", move |orders: Receiver<Order>| orders.iter().for_each(|o| save(o, &post)))?
        };
        let sought = Arc::new(AtomicU64::new(0));
        let reassembler = {
            let (post, sought) = (post.clone(), Arc::clone(&sought));
            thread("reassembler", move |orders: Receiver<Order>| {
                orders.iter().for_each(|o| seek(o, &sought, &post));
            })?
        };
        let sifter = {
            let wake = Arc::clone(&post.wake);
            thread("sifter", move |orders: Receiver<Order>| {
                for order in orders {
                    if let Order::Sift { file, flows, sieve } = order {
                        sieve.work(&file, &flows, &*wake);
                    }
                }
            })?
        };
        let follower = {
            let wake = Arc::clone(&post.wake);
            thread("follower", move |orders: Receiver<Order>| orders.iter().for_each(|o| follow(o, &*wake)))?
        };
        let sorter = {
            let wake = Arc::clone(&post.wake);
            thread("sorter", move |orders: Receiver<Order>| {
                for order in orders {
                    if let Order::Sort { file, sieve, flows, sorter } = order {
                        sorter.work(&file, sieve.as_deref(), &flows, &*wake);
                    }
                }
            })?
        };
        let finder = {
            let post = post.clone();
            thread("finder", move |orders: Receiver<Order>| orders.iter().for_each(|o| seek_next(o, &post)))?
        };
        let matcher = {
            let wake = Arc::clone(&post.wake);
            thread("matcher", move |orders: Receiver<Order>| orders.iter().for_each(|o| trace(o, &*wake)))?
        };
        let sent = Arc::new(Sent::default());
        let transmitter = {
            let (access, post, sent) = (Arc::clone(&access), post.clone(), Arc::clone(&sent));
            thread("transmitter", move |orders| transmit(&orders, &access, &sent, &post))?
        };
        let desk = Desk::default();
        Ok(Self {
            control,
            transmitter,
            desk,
            post,
            saver,
            reassembler,
            sifter,
            follower,
            sorter,
            finder,
            matcher,
            sent,
            access,
            sought,
            events,
        })
    }

    /// Gives an order. `false`: so many wait already that it was not taken.
    #[must_use]
    pub fn order(&self, order: Order) -> bool {
        let queue = match order {
            Order::Send { .. } => &self.transmitter,
            Order::Open { path, directory, generation } => {
                return self.desk.begin(What::Path(path), generation, directory, self.post.clone());
            }
            Order::Stop => {
                self.desk.stop_streams();
                &self.control
            }
            Order::Capture { source, terms, generation } if source.remote().is_some() => {
                let Some(remote) = source.remote().cloned() else { return false };
                let what = What::Remote(remote, source);
                return self.control.try_send(Order::Stop).is_ok()
                    && self.desk.begin(what, generation, terms.directory, self.post.clone());
            }
            Order::Sift { .. } => &self.sifter,
            Order::Follow { .. } => &self.follower,
            Order::Sort { .. } => &self.sorter,
            Order::Find { .. } => &self.finder,
            Order::Trace { .. } => &self.matcher,
            Order::Reassemble { ask, .. } => {
                self.sought.store(ask, Ordering::Relaxed);
                &self.reassembler
            }
            Order::Save { .. } | Order::FindLeft(_) | Order::Export { .. } => &self.saver,
            _ => &self.control,
        };
        queue.try_send(order).is_ok()
    }

    /// The reading of a capture: how far it is, and what ends it. `None`: it is not read from a file, or nobody wants it.
    #[must_use]
    pub fn reading(&self, generation: u64) -> Option<Arc<Reading>> {
        self.desk.find(generation)
    }

    /// Ends the reading of all captures but those that are wanted.
    pub fn keep_readings(&self, wanted: impl Fn(u64) -> bool) {
        self.desk.keep(wanted);
    }

    /// What this bench sends, for the captures that see it.
    #[must_use]
    pub fn sent(&self) -> Arc<Sent> {
        Arc::clone(&self.sent)
    }

    /// The next event, if there is one.
    #[must_use]
    pub fn next_event(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}

struct Control {
    access: Arc<Access>,
    post: Post,
    recording: Option<Recording>,
    guard: Guard,
}

impl Control {
    fn run(mut self, orders: &Receiver<Order>) {
        for order in orders {
            match order {
                Order::Sources => self.sources(),
                Order::Explore { place, destination, via, asking } => {
                    let found = match &via {
                        Via::Ip => self.access.neighbourhood(&place, destination, asking),
                        Via::Link(name) => match self.access.interface(&place, name) {
                            Ok(interface) => self.access.neighbourhood_on(&place, &interface, destination),
                            Err(failure) => {
                                Neighbourhood { problem: Some(failure.text), ..Default::default() }
                            }
                        },
                    };
                    self.post.event(Event::Explored { place, destination, via, found });
                }
                Order::Capture { source, terms, generation } => self.capture(source, *terms, generation),
                Order::DelayLab(milliseconds) => {
                    let done = self.access.delay_lab(milliseconds).map(|()| milliseconds);
                    self.post.event(Event::Delayed(done));
                }
                Order::Hold(port) => {
                    let held = self.guard.hold(&self.access, port.as_ref());
                    self.post.event(Event::Held(port, held));
                }
                Order::Stop => self.stop(),
                Order::Send { .. } | Order::Open { .. } | Order::Save { .. } => {}
                Order::FindLeft(_)
                | Order::Reassemble { .. }
                | Order::Trace { .. }
                | Order::Export { .. } => {}
                Order::Sift { .. } | Order::Follow { .. } | Order::Sort { .. } | Order::Find { .. } => {}
            }
        }
        self.stop();
    }

    fn sources(&self) {
        let way = self.access.host_way();
        let list = self.access.sources(&Place::Host).map(|host| {
            // Where raw sockets can be had at once the machine comes first, else the lab.
            let (first, then) = match way {
                HostWay::Open => (host, Access::lab_sources()),
                HostWay::Asks | HostWay::Closed => (Access::lab_sources(), host),
            };
            [first, then, self.access.namespace_sources()].concat()
        });
        self.post.event(Event::Sources(list, way));
    }

    fn stop(&mut self) {
        if let Some(recording) = self.recording.take() {
            recording.stop();
        }
    }

    fn capture(&mut self, source: Source, terms: Terms, generation: u64) {
        self.stop();
        match self.record(&source, terms, generation) {
            Ok(recording) => {
                let (file, counters) = (recording.file.clone(), Arc::clone(&recording.counters));
                self.post.event(Event::Started { source, file, counters, generation });
                recording.begin();
                self.recording = Some(recording);
            }
            Err(failure) => self.post.event(Event::NotStarted(generation, failure)),
        }
    }

    fn record(&self, source: &Source, terms: Terms, generation: u64) -> Result<Recording, Failure> {
        let Terms { directory, filter, mut limits } = terms;
        if let Some(files) = &mut limits.files {
            // One link type is all that pcap holds, and the interfaces of a machine have several.
            files.cooked = source.listen == Listen::Any;
        }
        let mut settings = Settings::capture();
        let here = match filter {
            Some(filter) => screen::put_before(&self.access, source, filter, &mut settings)?,
            None => None,
        };
        let (when, note) = here.unzip();
        let (post, wake) = (self.post.clone(), Arc::clone(&self.post.wake));
        let recorder = Recorder::open(&self.access, source, &settings)?.noted(note);
        recorder.spawn(&directory, limits, wake, when, move |end| post.event(Event::Ended(generation, end)))
    }
}
