//! The commands that edit the draft.

use super::command::Command;
use super::workbench::{Request, Workbench};
use crate::craft::export::Form;
use crate::craft::stream::Stream;
use crate::craft::{Draft, presets};
use crate::engine::{Failure, System};
use crate::wire::value::Refused;
use crate::wire::view::Path;

impl Workbench {
    /// Changes the draft as a command says.
    pub(super) fn apply_edit(&mut self, command: Command) {
        let result = match command {
            Command::SetField { path, scale, text } => {
                return self.set_field(path, scale, text);
            }
            Command::Toggle(path) => self.toggle(path),
            Command::Pin(path) => self.builder.edit(None, |d| {
                d.pin(path);
                Ok(())
            }),
            Command::Release(path) => {
                self.builder.unrefuse(path);
                self.builder.edit(None, |d| {
                    d.release(path);
                    Ok(())
                })
            }
            Command::MakeWrong(path) => {
                self.builder.unrefuse(path);
                self.builder.edit(None, |d| {
                    d.make_wrong(path);
                    Ok(())
                })
            }
            Command::InsertLayer { at, header } => self
                .builder
                .edit_layers(|d| d.insert_layer(at, header), |l| Some(if l >= at { l + 1 } else { l })),
            Command::RemoveLayer(layer) => self.builder.edit_layers(
                |d| {
                    d.remove_layer(layer);
                    Ok(())
                },
                |l| (l != layer).then(|| if l > layer { l - 1 } else { l }),
            ),
            Command::InsertOption { layer, at, bytes } => {
                self.builder.edit(None, |d| d.insert_option(layer, at, bytes))
            }
            Command::RemoveOption { layer, at } => self.builder.edit(None, |d| d.remove_option(layer, at)),
            Command::InsertInner { layer, parent, which } => {
                self.builder.edit(None, |d| d.insert_inner(layer, parent, which))
            }
            Command::SetOption { layer, at, bytes } => {
                self.builder.edit(None, |d| d.set_option(layer, at, &bytes))
            }
            Command::MoveOption { layer, from, to } => {
                self.builder.edit(None, |d| d.move_option(layer, from, to))
            }
            Command::SetPayload(bytes) => self.builder.edit(Some(PAYLOAD_MARK), |d| d.set_payload(&bytes)),
            Command::SetTrailer(bytes) => self.builder.edit(Some(TRAILER_MARK), |d| d.set_trailer(&bytes)),
            Command::EndEdit => {
                self.builder.end_edit();
                Ok(())
            }
            Command::Undo => {
                self.builder.undo();
                Ok(())
            }
            Command::Redo => {
                self.builder.redo();
                Ok(())
            }
            Command::Preset(index) => {
                let Some(preset) = presets::ALL.get(index) else { return };
                let to = self.builder.draft().network_ends().map(|e| e.1);
                return self.load_notation(&preset.to(to));
            }
            Command::LoadNotation(text) => return self.load_notation(&text),
            Command::EditCopy(index) => return self.edit_copy(index),
            Command::CopyAs { form, selected } => return self.copy_as(form, selected),
            _ => Ok(()),
        };
        if let Err(refused) = result {
            self.notice(Failure::new(refused.0));
        }
    }

    fn set_field(&mut self, path: Path, scale: u32, text: String) {
        let change = |d: &mut Draft| match d.vary_text(path, scale, &text)? {
            true => Ok(()),
            false => d.set_text(path, scale, &text),
        };
        match self.builder.edit(Some(mark(path)), change) {
            Ok(()) => self.builder.unrefuse(path),
            Err(refused) => self.builder.refuse(path, text, refused.0),
        }
    }

    fn toggle(&mut self, path: Path) -> Result<(), Refused> {
        self.builder.edit(None, |d| {
            let found = d.locate(path).and_then(|f| f.stored(d.bytes()));
            d.hold(path);
            d.set(path, u128::from(found == Some(0)))
        })
    }

    /// Another packet: what stood refused in the fields of the old one belongs to nothing any more.
    pub(super) fn replace(&mut self, mut draft: Draft) {
        self.answering = None;
        draft.surround(self.builder.draft().surroundings());
        let result = self.builder.edit(None, |d| {
            *d = draft;
            Ok(())
        });
        debug_assert!(result.is_ok(), "replacing a draft cannot be refused");
        self.builder.forget_refusals();
    }

    fn load_notation(&mut self, text: &str) {
        match Stream::from_notation(text, &mut System::default()) {
            Ok(stream) => self.replace(stream.into_draft()),
            Err(error) => self.notice(Failure::new(error.render(text))),
        }
    }

    fn copy_as(&mut self, form: &Form, selected: bool) {
        let written = match self.capture.selected().filter(|_| selected) {
            Some(packet) => form.write(&Draft::from_bytes(packet.link_type, &packet.bytes, false)),
            None => form.write(self.builder.draft()),
        };
        match written {
            Ok(text) => self.requests.push(Request::Clipboard(text)),
            Err(why) => self.notice(Failure::new(why.to_string())),
        }
    }

    fn edit_copy(&mut self, index: usize) {
        if let Err(text) = self.capture.select(Some(index)) {
            return self.notice(Failure::new(text));
        }
        if let Some(packet) = self.capture.selected() {
            let draft = Draft::from_bytes(packet.link_type, &packet.bytes, packet.left_to_card());
            self.replace(draft);
        }
    }
}

const PAYLOAD_MARK: u64 = u64::MAX;
const TRAILER_MARK: u64 = u64::MAX - 1;

/// Keystrokes in the same field in a row are one undo step.
fn mark(path: Path) -> u64 {
    let part = |n: Option<usize>| n.map_or(0, |n| n as u64 + 1) & 0xffff;
    (path.layer as u64 & 0xfff) << 48
        | part(path.item) << 32
        | part(path.nth) << 16
        | path.field as u64 & 0xffff
}
