//! The builder is given the answer to a captured packet.

use super::workbench::{Request, Workbench};
use crate::craft::Surroundings;
use crate::craft::reply::{Known, reply};
use crate::engine::{Failure, Via, has_closed, newest};
use crate::wire::answer::Ends;
use crate::wire::dissect::dissect;

impl Workbench {
    /// What the draft answers, as long as it is that answer.
    #[must_use]
    pub fn answering(&self) -> Option<&str> {
        self.answering.as_deref()
    }

    /// Loads the answer to the packet at a position, from 0; `None`: to the newest that came back to the draft's source.
    pub(super) fn reply(&mut self, index: Option<usize>) {
        let Some(index) = index.or_else(|| self.newest_back()) else {
            let text =
                "nothing has come back to the packet in the builder: send it first, or select a packet";
            return self.notice(Failure::new(text));
        };
        if let Err(text) = self.capture.select(Some(index)) {
            return self.notice(Failure::new(text));
        }
        let Some(packet) = self.capture.selected.clone() else { return };
        let found = dissect(packet.link_type, &packet.bytes);
        let ends = Ends::of(&packet.bytes, &found.layers);
        let closed = ends
            .clone()
            .zip(self.capture.file.as_ref())
            .is_some_and(|(ends, file)| has_closed(file, index, &ends.turned()));
        let mut surroundings = self.builder.draft().surroundings();
        let to = self.builder.draft().network_ends().map(|(_, to)| to.to_string());
        if to.as_ref() != ends.as_ref().and_then(|e| e.source.texts.first()) {
            // The route was asked for another destination.
            surroundings = Surroundings { interface: surroundings.interface, ..Surroundings::default() };
        }
        match reply(packet.link_type, &packet.bytes, Known { surroundings, closed }) {
            Ok(answer) => {
                let bare = answer.draft.network_layer().is_none();
                self.replace(answer.draft);
                self.answering = Some(format!("reply to {}: {}", index + 1, answer.text));
                if bare {
                    self.send_where_it_came(packet.entry.interface);
                }
                if answer.takes_data {
                    self.requests.push(Request::FocusPayload);
                }
            }
            Err(refused) => self.notice(Failure::new(format!("packet {}: {}", index + 1, refused.0))),
        }
    }

    fn newest_back(&self) -> Option<usize> {
        let draft = self.builder.draft();
        let back = Ends::of(draft.bytes(), draft.layers())?.turned();
        newest(self.capture.file.as_ref()?, &back)
    }

    /// What the kernel cannot route goes out on the interface on which its question came in.
    fn send_where_it_came(&mut self, interface: u16) {
        let interfaces = self.capture.file.as_ref().map(|f| f.interfaces());
        let name = interfaces.and_then(|all| all.get(usize::from(interface)).and_then(|i| i.name.clone()));
        if let Some(name) = name.filter(|name| self.link_interfaces().contains(&name)) {
            self.via = Via::Link(name);
        }
    }
}
