//! Colours, sizes and spacings of the whole window, in one place.

use std::sync::Arc;

use eframe::egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Rgba, Shadow,
    Stroke, Style, TextStyle, Theme, Ui, Vec2, Visuals, vec2,
};

use crate::app::Hue;
use crate::wire::protocols;
use crate::wire::table::{Family, Header};

/// Height of a row of a header diagram.
pub const DIAGRAM_ROW: f32 = 31.0;
/// Height of the bit ruler above a diagram.
pub const RULER: f32 = 11.0;
/// Height of a row of the packet list.
pub const LIST_ROW: f32 = 19.0;
/// Height of a line of a hex dump.
pub const HEX_ROW: f32 = 17.0;
/// Space between groups.
pub const GAP: f32 = 8.0;

/// Body text.
pub const BODY: f32 = 13.0;
/// Values, bytes and bits.
pub const MONO: f32 = 13.0;
/// Labels in diagram cells.
pub const TINY: f32 = 9.5;
/// Labels in cells of one bit.
pub const BIT: f32 = 8.5;

/// The colours of one theme.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Panels.
    pub panel: Color32,
    /// Bars.
    pub bar: Color32,
    /// Cells and fields that can be edited.
    pub field: Color32,
    /// Lines.
    pub line: Color32,
    /// Text.
    pub text: Color32,
    /// Text of less weight.
    pub dim: Color32,
    /// What acts.
    pub accent: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// Selected rows.
    pub selection: Color32,
    /// It went well.
    pub good: Color32,
    /// Look here.
    pub warn: Color32,
    /// It did not go well.
    pub bad: Color32,
    /// How strongly a layer's hue shows behind its fields, of 255.
    tint: u8,
    /// The same where the pointer is.
    lit_tint: u8,
    hues: [Color32; 8],
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// Light on dark.
pub static DARK: Look = Look {
    panel: rgb(0x15_1a21),
    bar: rgb(0x1b_212a),
    field: rgb(0x1d_242e),
    line: rgb(0x33_3d4a),
    text: rgb(0xe2_e8f0),
    dim: rgb(0x93_a1b3),
    accent: rgb(0x3b_9eff),
    on_accent: rgb(0x06_1220),
    selection: rgb(0x20_4468),
    good: rgb(0x4c_c38a),
    warn: rgb(0xf5_b83d),
    bad: rgb(0xff_6b6b),
    tint: 26,
    lit_tint: 92,
    hues: [
        rgb(0x8f_a3bf),
        rgb(0x4f_b6e8),
        rgb(0xd9_8ae0),
        rgb(0xf2_a65a),
        rgb(0x6f_cf97),
        rgb(0xe8_d05a),
        rgb(0xf0_7f94),
        rgb(0x9a_8cf0),
    ],
};

/// Dark on light.
pub static LIGHT: Look = Look {
    panel: rgb(0xf6_f8fa),
    bar: rgb(0xed_f0f4),
    field: rgb(0xff_ffff),
    line: rgb(0xc5_cdd6),
    text: rgb(0x17_1f29),
    dim: rgb(0x55_6373),
    accent: rgb(0x0b_66c3),
    on_accent: rgb(0xff_ffff),
    selection: rgb(0xc4_defa),
    good: rgb(0x14_7a46),
    warn: rgb(0x94_5c00),
    bad: rgb(0xc0_2626),
    tint: 30,
    lit_tint: 100,
    hues: [
        rgb(0x5c_708c),
        rgb(0x0e_7fb8),
        rgb(0xa0_3fb0),
        rgb(0xc0_6a12),
        rgb(0x1f_8a54),
        rgb(0x93_7a00),
        rgb(0xc0_3a55),
        rgb(0x5e_4ec8),
    ],
};

impl Look {
    /// The hue of a protocol: the same wherever it is shown. A family has its own hues, which those of its neighbours in
    /// a packet do not have, and gives them to its protocols in turn.
    #[must_use]
    pub fn hue(&self, header: &Header) -> Color32 {
        let hues: &[usize] = match header.family {
            Family::Link => &[0],
            Family::Shim => &[5, 6, 4],
            Family::Network => &[1, 7],
            Family::Extension => &[5],
            Family::Control => &[2],
            Family::Transport => &[3, 4],
            Family::Tunnel => &[6],
            Family::Application => &[6, 2, 5],
        };
        let mut family = protocols::ALL.iter().filter(|h| h.family == header.family);
        let place = family.position(|h| h.key == header.key).unwrap_or(0);
        self.hues[hues[place % hues.len()]]
    }

    /// The hue of the protocol with this short name; none for what no table describes.
    #[must_use]
    pub fn protocol_hue(&self, short: &str) -> Color32 {
        protocols::ALL.iter().find(|h| h.short == short).map_or(self.dim, |h| self.hue(h))
    }

    /// A colour that a person chose; none where it is to be as it is without.
    #[must_use]
    pub fn chosen(&self, hue: Hue) -> Option<Color32> {
        let place = match hue {
            Hue::Plain => return None,
            Hue::Red => return Some(self.bad),
            Hue::Grey => 0,
            Hue::Blue => 1,
            Hue::Purple => 2,
            Hue::Orange => 3,
            Hue::Green => 4,
            Hue::Yellow => 5,
            Hue::Rose => 6,
            Hue::Violet => 7,
        };
        Some(self.hues[place])
    }

    /// A colour for text that can be read on this ground: the wished one where that can be, else one nearer to the text's.
    #[must_use]
    pub fn legible(&self, wished: Color32, ground: Color32) -> Color32 {
        let steps = (0..=5).map(|step| mix(wished, self.text, step * 51));
        let all = steps.chain([Color32::BLACK, Color32::WHITE]);
        let mut best = (wished, 0.0);
        for color in all {
            let ratio = contrast(color, ground);
            if ratio >= LEGIBLE {
                return color;
            }
            if ratio > best.1 {
                best = (color, ratio);
            }
        }
        best.0
    }

    /// The ground of a field of that hue.
    #[must_use]
    pub fn ground(&self, hue: Color32, lit: bool) -> Color32 {
        mix(self.field, hue, if lit { self.lit_tint } else { self.tint })
    }
}

/// The least contrast of text that can be read (WCAG 2.1, 1.4.3, level AA).
pub const LEGIBLE: f32 = 4.5;

/// The contrast of two colours, from 1 to 21 (WCAG 2.1, "contrast ratio").
#[must_use]
pub fn contrast(a: Color32, b: Color32) -> f32 {
    let luminance = |color: Color32| {
        let [r, g, b, _] = Rgba::from(color).to_array();
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// `amount` of 255 of `b` in `a`.
#[must_use]
pub fn mix(a: Color32, b: Color32, amount: u8) -> Color32 {
    let part = |x: u8, y: u8| {
        let (x, y, n) = (u32::from(x), u32::from(y), u32::from(amount));
        ((x * (255 - n) + y * n) / 255) as u8
    };
    Color32::from_rgb(part(a.r(), b.r()), part(a.g(), b.g()), part(a.b(), b.b()))
}

/// egui's name of a theme.
#[must_use]
pub fn of(theme: crate::app::Theme) -> Theme {
    match theme {
        crate::app::Theme::Dark => Theme::Dark,
        crate::app::Theme::Light => Theme::Light,
    }
}

/// The look in force.
#[must_use]
pub fn look(ui: &Ui) -> &'static Look {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

/// Fixed-width text of this size.
#[must_use]
pub fn mono(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// Body text of this size.
#[must_use]
pub fn plain(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Gives the window both themes.
pub fn install(context: &Context) {
    install_fonts(context);
    context.set_style_of(Theme::Dark, style(&DARK, Visuals::dark()));
    context.set_style_of(Theme::Light, style(&LIGHT, Visuals::light()));
    context.set_theme(Theme::Dark);
}

/// Text fonts of the system where they are: clearer at small sizes than the built-in one, which stays the fallback.
fn install_fonts(context: &Context) {
    const CANDIDATES: [(&str, FontFamily); 6] = [
        ("/usr/share/fonts/truetype/inter/Inter-Regular.ttf", FontFamily::Proportional),
        ("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf", FontFamily::Proportional),
        ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", FontFamily::Proportional),
        ("/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf", FontFamily::Proportional),
        ("/usr/share/fonts/truetype/jetbrains-mono/JetBrainsMono-Regular.ttf", FontFamily::Monospace),
        ("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf", FontFamily::Monospace),
    ];
    let mut fonts = FontDefinitions::default();
    // Signs and arrows that the text fonts may lack.
    fonts.families.entry(FontFamily::Proportional).or_default().push("Hack".into());
    let mut found = Vec::new();
    for (path, family) in CANDIDATES {
        if found.contains(&family) {
            continue;
        }
        if let Ok(data) = std::fs::read(path) {
            fonts.font_data.insert(path.into(), Arc::new(FontData::from_owned(data)));
            fonts.families.entry(family.clone()).or_default().insert(0, path.into());
            found.push(family);
        }
    }
    context.set_fonts(fonts);
}

fn style(look: &Look, mut visuals: Visuals) -> Style {
    visuals.panel_fill = look.panel;
    visuals.window_fill = look.bar;
    visuals.extreme_bg_color = look.field;
    visuals.faint_bg_color = mix(look.panel, look.bar, 128);
    visuals.override_text_color = Some(look.text);
    visuals.weak_text_color = Some(look.dim);
    visuals.hyperlink_color = look.accent;
    visuals.warn_fg_color = look.warn;
    visuals.error_fg_color = look.bad;
    visuals.selection.bg_fill = look.selection;
    visuals.selection.stroke = Stroke::new(1.0, look.accent);
    visuals.window_stroke = Stroke::new(1.0, look.line);
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.menu_corner_radius = CornerRadius::same(6);
    visuals.popup_shadow =
        Shadow { offset: [0, 4], blur: 16, spread: 0, color: Color32::from_black_alpha(70) };
    visuals.window_shadow = visuals.popup_shadow;
    // A blinking cursor would repaint for ever.
    visuals.text_cursor.blink = false;
    visuals.text_cursor.stroke = Stroke::new(1.5, look.accent);
    let widgets = &mut visuals.widgets;
    for (state, fill, line) in [
        (&mut widgets.noninteractive, look.panel, look.line),
        (&mut widgets.inactive, look.field, look.line),
        (&mut widgets.hovered, mix(look.field, look.accent, 40), look.accent),
        (&mut widgets.active, mix(look.field, look.accent, 80), look.accent),
        (&mut widgets.open, mix(look.field, look.accent, 40), look.accent),
    ] {
        state.bg_fill = mix(fill, line, 160);
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(1.0, line);
        state.fg_stroke = Stroke::new(1.0, look.text);
        state.corner_radius = CornerRadius::same(4);
        state.expansion = 0.0;
    }
    let mut style = Style { visuals, ..Style::default() };
    style.text_styles = [
        (TextStyle::Heading, plain(16.0)),
        (TextStyle::Body, plain(BODY)),
        (TextStyle::Button, plain(BODY)),
        (TextStyle::Small, plain(11.0)),
        (TextStyle::Monospace, mono(MONO)),
    ]
    .into();
    style.spacing.item_spacing = vec2(6.0, 4.0);
    style.spacing.button_padding = vec2(8.0, 3.0);
    style.spacing.interact_size = vec2(28.0, 22.0);
    style.spacing.menu_margin = Margin::same(6);
    style.spacing.scroll.bar_width = 8.0;
    style.spacing.scroll.floating = false;
    style.spacing.scroll.foreground_color = false;
    style.spacing.scroll.bar_inner_margin = 2.0;
    // A list that grows under its reader would be pulled past its old end and swing back for seconds, frame by frame.
    style.spacing.scroll.kinetic.rubber_band = false;
    style.spacing.tooltip_width = 420.0;
    style.animation_time = 0.0;
    style.interaction.tooltip_delay = 0.4;
    style
}

/// The smallest size of the window.
#[must_use]
pub fn min_window() -> Vec2 {
    vec2(960.0, 600.0)
}
