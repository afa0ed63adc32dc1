//! Sending more than one packet: the boxes of a stream, how far it is, and the packets of the list once more.

use eframe::egui::{
    Align, Button, ComboBox, Grid, Label, Layout, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo, vec2,
};

use super::bars::grouped;
use super::theme::{self, look};
use crate::app::{self, Again, Choice, Command, Entry, Run, StreamCommand, Via, Workbench};
use crate::engine::{Checksums, Held, Pace};

/// Whether Send makes one packet or a stream, and of a stream how many, how fast, which.
pub fn stream_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let look = look(ui);
    let streams = bench.streams();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let modes =
            [("Once", false, "Send sends one packet"), ("Stream", true, "Send sends packet after packet")];
        for (name, on, hint) in modes {
            if ui.selectable_label(streams.is_on() == on, name).on_hover_text(hint).clicked() {
                commands.push(Command::Stream(StreamCommand::On(on)));
            }
        }
        let varying = bench.builder().draft().varying().len();
        if !streams.is_on() {
            let text = match varying {
                0 => String::new(),
                1 => "a field varies: this sends the first packet".into(),
                n => format!("{n} values vary: this sends the first packet"),
            };
            ui.add(Label::new(RichText::new(text).size(12.0).color(look.dim)).truncate());
            return;
        }
        let boxes = [
            (Entry::Amount, "", 58.0, "Stream amount", AMOUNT_HINT),
            (Entry::Rate, "at", 52.0, "Stream rate", RATE_HINT),
            (
                Entry::Burst,
                "/s, bursts of",
                30.0,
                "Stream burst",
                "so many packets at once, at the same rate",
            ),
            (Entry::Seed, "seed", 44.0, "Stream seed", "with the same seed the same random values come"),
        ];
        for (entry, before, width, name, hint) in boxes {
            ui.label(RichText::new(before).size(12.0).color(look.dim));
            let problem = streams.problem(entry);
            let mut text = streams.text(entry).to_owned();
            let color = if problem.is_some() { look.bad } else { look.text };
            let edit = TextEdit::singleline(&mut text)
                .desired_width(width)
                .text_color(color)
                .font(theme::mono(12.0));
            let response = ui.add(edit);
            super::named(&response, name);
            if response.changed() {
                commands.push(Command::Stream(StreamCommand::Type(entry, text)));
            }
            response.on_hover_text(problem.as_deref().unwrap_or(hint));
        }
        let text = match varying {
            0 => "nothing varies".to_owned(),
            n => format!("{n} vary"),
        };
        let label = Label::new(RichText::new(text).size(12.0).color(look.dim)).truncate();
        ui.add(label).on_hover_text(VARYING_HINT);
    });
}

const AMOUNT_HINT: &str = "how many packets: 1000; all: each value of each range with each of the others; or for how \
                           long: 10 s, 2 min";
const RATE_HINT: &str = "packets a second: 1001, 250k, 2/min, or max. Past 50000 a second at the link layer frames go \
                         past the queue of the interface, and no capture on this machine sees them";
const VARYING_HINT: &str = "a field varies when a generator is typed for its value: random, random(1024..65535), fuzz, \
                            1..254, 0..100 step 10, [80, 443]. The frame that is shown is the first packet";

/// How far the stream is, and what holds and ends it.
pub fn run_ui(ui: &mut Ui, bench: &Workbench, commands: &mut Vec<Command>) {
    let Some(run) = bench.streams().run() else { return };
    let look = look(ui);
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut button = |ui: &mut Ui, text: &str, name: &str, command: StreamCommand| {
                let button = ui.add(Button::new(text).min_size(vec2(0.0, 20.0)));
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
                if button.on_hover_text(name).clicked() {
                    commands.push(Command::Stream(command));
                }
            };
            match run {
                run if !run.is_running() => button(ui, "×", "Forget the stream", StreamCommand::Forget),
                run => {
                    button(ui, "Stop", "Stop the stream", StreamCommand::Stop);
                    match run.is_paused() {
                        true => button(ui, "Continue", "Continue the stream", StreamCommand::Continue),
                        false => button(ui, "Pause", "Pause the stream", StreamCommand::Pause),
                    }
                }
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let failed = run.over.as_ref().map_or(run.progress.failed(), |over| over.errors);
                let color = match (failed > 0, run.is_running()) {
                    (true, _) => look.bad,
                    (false, true) => look.text,
                    (false, false) => look.good,
                };
                let text = progress_text(run);
                let counts =
                    "the interface counts all that leaves by it: what the kernel sends, its resets say, too";
                let notes = run.notes.iter().map(String::as_str).chain(run.counted.as_ref().map(|_| counts));
                let whole = notes.fold(text.clone(), |whole, note| whole + "\n" + note);
                let label = Label::new(RichText::new(text).size(12.0).color(color)).truncate();
                ui.add(label).on_hover_text(whole);
            });
        });
    });
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 3.0), eframe::egui::Sense::hover());
    ui.painter().rect_filled(rect, 1.5, look.line);
    let part = match (run.is_running(), run.total) {
        (false, _) => 1.0,
        (true, Some(total)) if total > 0 => (run.progress.sent as f32 / total as f32).min(1.0),
        (true, _) => 0.0,
    };
    let mut done = rect;
    done.set_width(rect.width() * part);
    let color = match &run.over {
        None => look.accent,
        Some(over) if over.errors > 0 => look.bad,
        Some(_) => look.good,
    };
    ui.painter().rect_filled(done, 1.5, color);
}

/// What was sent, how fast, what failed, and what the interface counted.
fn progress_text(run: &Run) -> String {
    let over = run.over.as_ref();
    let sent = over.map_or(run.progress.sent, |over| over.sent);
    let mut text = match (run.total, over) {
        (Some(total), None) => format!("{} of {} sent", grouped(sent), grouped(total)),
        _ => format!("{} sent", grouped(sent)),
    };
    text += match (over, run.is_paused()) {
        (Some(over), _) if over.stopped => ", stopped",
        (None, _) if run.stopping => ", stopping",
        (None, true) => ", paused",
        _ => "",
    };
    if sent > 1 {
        let asked = match run.pace {
            Some(Pace::Rate { pps, .. }) => format!(" ({} asked)", rate_text(pps)),
            _ => String::new(),
        };
        text += &format!(" · {}/s{asked}", rate_text(run.pps()));
    }
    let errors = over.map_or(&run.progress.errors, |over| &over.error_kinds);
    let failed: u64 = errors.values().sum();
    if failed > 0 {
        let kinds: Vec<String> = errors.iter().map(|(kind, n)| format!("{kind} {}", grouped(*n))).collect();
        text += &format!(" · {} not sent: {}", grouped(failed), kinds.join(", "));
    }
    if let Some((name, counted)) = &run.counted {
        text += &format!(" · {name} counted {}", grouped(counted.packets));
        if counted.dropped > 0 {
            text += &format!(", dropped {}", grouped(counted.dropped));
        }
    }
    let given_up = over.map_or(run.progress.given_up.as_secs_f64(), |over| over.given_up);
    if given_up > 0.0 {
        text += &format!(" · {given_up:.1} s behind");
    }
    text
}

fn rate_text(pps: f64) -> String {
    match pps {
        pps if pps >= 1000.0 => grouped(pps.round() as u64),
        pps if pps.fract() == 0.0 => format!("{pps:.0}"),
        pps if pps >= 1.0 => format!("{pps:.1}"),
        pps => format!("{pps:.3}"),
    }
}

/// How fast packets are sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Timing {
    /// With their times, by a factor.
    #[default]
    Recorded,
    /// At a rate.
    Rate,
}

/// What was chosen for packets that are sent again.
pub struct AgainForm {
    timing: Timing,
    factor: String,
    rate: String,
    checksums: Checksums,
    via: Option<Via>,
}

impl Default for AgainForm {
    fn default() -> Self {
        let (timing, checksums, via) = (Timing::default(), Checksums::default(), None);
        Self { timing, factor: "1".into(), rate: "1000".into(), checksums, via }
    }
}

impl AgainForm {
    fn pace(&self) -> Result<Pace, String> {
        match self.timing {
            Timing::Recorded => {
                let factor = self.factor.trim().parse::<f64>().ok().filter(|f| f.is_finite() && *f > 0.0);
                let why = "the factor must be a number above 0: 1 is as it was, 2 twice as fast";
                factor.map(Pace::Recorded).ok_or_else(|| why.into())
            }
            Timing::Rate => app::pace(&self.rate, 1),
        }
    }
}

/// Asks how the packets of the list are sent again; lists what of them cannot be sent as it is.
pub fn again_ui(
    ui: &mut Ui,
    bench: &Workbench,
    form: &mut AgainForm,
    (rows, held): (usize, Option<&Held>),
    commands: &mut Vec<Command>,
) {
    let look = look(ui);
    let noun = if rows == 1 { "packet" } else { "packets" };
    let title = format!("Send {} {noun} again", grouped(rows as u64));
    ui.label(RichText::new(title).strong().size(15.0));
    let filtered = if bench.capture().sieve().is_some() { "those that pass the filter, " } else { "" };
    let listens = match bench.capture().is_running() {
        true => "the capture shows them as they leave",
        false => "no capture runs: start one first to see them leave",
    };
    ui.label(
        RichText::new(format!("{filtered}in the order in which they were captured; {listens}"))
            .size(12.0)
            .color(look.dim),
    );
    ui.add_space(6.0);
    Grid::new("again").num_columns(2).spacing([10.0, 6.0]).show(ui, |ui| {
        let dim = |text: &str| RichText::new(text).color(look.dim);
        ui.label(dim("Timing"));
        ui.horizontal(|ui| {
            ui.radio_value(&mut form.timing, Timing::Recorded, "as recorded, times");
            text_box(ui, &mut form.factor, "Factor");
            ui.radio_value(&mut form.timing, Timing::Rate, "packets a second");
            text_box(ui, &mut form.rate, "Rate");
        });
        ui.end_row();
        ui.label(dim("Checksums"));
        ui.horizontal(|ui| {
            ui.radio_value(&mut form.checksums, Checksums::Keep, "keep")
                .on_hover_text("as they were on the wire; what was left to the card is filled in");
            ui.radio_value(&mut form.checksums, Checksums::Recompute, "recompute")
                .on_hover_text("made right");
            ui.radio_value(&mut form.checksums, Checksums::Break, "break").on_hover_text("made wrong");
        });
        ui.end_row();
        ui.label(dim("Via"));
        let via = form.via.get_or_insert_with(|| bench.via().clone());
        via_choice(ui, bench, via);
        ui.end_row();
    });
    if let Some(held) = held {
        ui.add_space(6.0);
        held_ui(ui, held);
    }
    let pace = form.pace();
    if let Err(why) = &pace {
        ui.label(RichText::new(why).size(12.0).color(look.bad));
    }
    ui.add_space(8.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let others = held.is_some_and(|held| (held.packets.len() as u64) < held.of);
        let text = match held {
            Some(held) if others => {
                format!("Send the other {}", grouped(held.of - held.packets.len() as u64))
            }
            Some(_) => "Try again".to_owned(),
            None => "Send them".to_owned(),
        };
        let send = Button::new(RichText::new(text).color(look.on_accent)).fill(look.accent);
        let send = ui.add_enabled(pace.is_ok(), send);
        if let (true, Ok(pace)) = (send.clicked(), pace) {
            let via = form.via.clone().unwrap_or_default();
            let again = Again { via, pace, checksums: form.checksums, leave_out: others };
            commands.push(Command::Stream(StreamCommand::Again(again)));
        }
        if ui.button("Cancel").clicked() {
            commands.push(Command::Answer(Choice::Cancel));
        }
    });
}

fn text_box(ui: &mut Ui, text: &mut String, name: &str) {
    let response = ui.add(TextEdit::singleline(text).desired_width(54.0).font(theme::mono(12.0)));
    super::named(&response, name);
}

/// What cannot be sent as it is, and why.
fn held_ui(ui: &mut Ui, held: &Held) {
    let look = look(ui);
    let count = held.packets.len();
    let text = match (count, held.of) {
        (1, 1) => "It cannot be sent as it is:".to_owned(),
        (count, of) => format!(
            "{} of {} cannot be sent as they are; nothing was sent:",
            grouped(count as u64),
            grouped(of)
        ),
    };
    ui.label(RichText::new(text).color(look.warn));
    ScrollArea::vertical().id_salt("held").max_height(140.0).show_rows(ui, 15.0, count, |ui, range| {
        for one in held.packets.get(range).unwrap_or_default() {
            let line = format!("packet {}: {}", one.number, one.why);
            ui.add(Label::new(RichText::new(&line).size(12.0)).truncate()).on_hover_text(line);
        }
    });
}

fn via_choice(ui: &mut Ui, bench: &Workbench, via: &mut Via) {
    let name = |via: &Via| match via {
        Via::Ip => "IP layer, the kernel routes".to_owned(),
        Via::Link(name) => format!("link layer on {name}"),
    };
    ui.name_inputs("Send again via", |ui| {
        ComboBox::from_id_salt("again-via").selected_text(name(via)).width(190.0).show_ui(ui, |ui| {
            let links = bench.link_interfaces().into_iter().map(|n| Via::Link(n.clone()));
            for one in [Via::Ip].into_iter().chain(links) {
                let text = name(&one);
                ui.selectable_value(via, one, text);
            }
        });
    });
}
