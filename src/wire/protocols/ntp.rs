//! NTP, RFC 5905.

use crate::wire::table::{Family, Field, Header, Length, Shown, Space};
use crate::wire::view::LayerView;

const LEAP: &[(u64, &str)] = &[
    (0, "No warning"),
    (1, "The last minute of the day has 61 seconds"),
    (2, "The last minute of the day has 59 seconds"),
    (3, "The clock is not synchronized"),
];
const MODES: &[(u64, &str)] = &[
    (0, "reserved"),
    (1, "symmetric active"),
    (2, "symmetric passive"),
    (3, "client"),
    (4, "server"),
    (5, "broadcast"),
    (6, "control message"),
    (7, "private"),
];
const STRATA: &[(u64, &str)] =
    &[(0, "Unspecified or kiss of death"), (1, "Primary reference"), (16, "Unsynchronized")];

/// NTP.
pub static HEADER: Header = Header {
    key: "ntp",
    name: "Network Time Protocol",
    short: "NTP",
    reference: "RFC 5905",
    fields: &[
        Field::group("flags", "Flags", 0, 8),
        Field::number("flags.li", "Leap Indicator", 0, 2).short("LI").names(LEAP).alias(&[("li", 1)]),
        Field::number("flags.vn", "Version", 2, 3).short("VN").default(4).alias(&[("vn", 1)]),
        Field::number("flags.mode", "Mode", 5, 3).names(MODES).default(3).alias(&[("mode", 1)]),
        Field::number("stratum", "Stratum", 8, 8).names(STRATA),
        Field::number("ppoll", "Poll Interval", 16, 8).short("Poll").words(poll),
        Field::number("precision", "Precision", 24, 8).words(precision),
        Field::number("rootdelay", "Root Delay", 32, 32).words(short_time),
        Field::number("rootdispersion", "Root Dispersion", 64, 32).words(short_time),
        Field::hex("refid", "Reference ID", 96, 32).shown(Shown::Bytes).words(reference_id),
        Field::hex("reftime", "Reference Timestamp", 128, 64).shown(Shown::Words).words(time),
        Field::hex("org", "Origin Timestamp", 192, 64).shown(Shown::Words).words(time),
        Field::hex("rec", "Receive Timestamp", 256, 64).shown(Shown::Words).words(time),
        Field::hex("xmt", "Transmit Timestamp", 320, 64).shown(Shown::Words).words(time),
    ],
    length: Length::Fixed(48),
    found_by: &[(Space::UdpPort, 123)],
    accepts: Some(is_time),
    family: Family::Application,
    info,
    ..Header::PLAIN
};

/// Control and private messages (modes 6 and 7) have another form.
fn is_time(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 7 < 6)
}

fn info(view: &LayerView<'_>) -> String {
    format!("NTP version {}, {}", view.text("vn"), view.value_name("mode"))
}

/// A power of two of seconds, signed (section 7.3).
fn power(stored: u128) -> f64 {
    f64::from(2u8).powi(i32::from(stored as u8 as i8))
}

fn poll(stored: u128) -> String {
    format!("{} s", power(stored))
}

fn precision(stored: u128) -> String {
    format!("{:.9} s", power(stored))
}

/// 16 bits of seconds, 16 of fraction (section 6).
fn short_time(stored: u128) -> String {
    format!("{:.6} s", stored as f64 / 65536.0)
}

/// Four letters of a clock where they are letters, else the address of a server.
fn reference_id(stored: u128) -> String {
    let bytes = (stored as u32).to_be_bytes();
    let letters = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    let text = bytes.get(..letters).unwrap_or_default();
    if !text.is_empty() && text.iter().all(u8::is_ascii_graphic) {
        String::from_utf8_lossy(text).into_owned()
    } else {
        std::net::Ipv4Addr::from(stored as u32).to_string()
    }
}

/// Seconds from 1900 to 1970 (section 6).
const TO_1970: u64 = 2_208_988_800;
/// Seconds of an era: the time stamps of the next one begin in 2036 and have the first bit clear.
const ERA: u64 = 1 << 32;

/// A time stamp as Wireshark writes it: `Jan  1, 2024 00:00:00.500000000 UTC`; `NULL` for none.
fn time(stored: u128) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    if stored == 0 {
        return "NULL".into();
    }
    let (seconds, fraction) = ((stored >> 32) as u64, stored as u64 & 0xffff_ffff);
    let seconds = if seconds & 0x8000_0000 == 0 { seconds + ERA } else { seconds };
    // A stamp before 1970 cannot be: the first bit is set from 1968 on, and a clock of then is no NTP clock.
    let unix = seconds as i64 - TO_1970 as i64;
    let nanoseconds = (fraction as f64 / ERA as f64 * 1e9) as u32;
    let (days, second) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let month = MONTHS.get(month).copied().unwrap_or_default();
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{month} {day:>2}, {year} {hour:02}:{minute:02}:{second:02}.{nanoseconds:09} UTC")
}

/// Year, month from 0 on and day of a day since 1970 in the Gregorian calendar.
fn date(days: i64) -> (i64, usize, i64) {
    // Counted from the first of March of the year 0, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let first = (153 * month + 2) / 5;
    let (month, next) = if month < 10 { (month + 2, 0) } else { (month - 10, 1) };
    (era * 400 + year + next, month as usize, day - first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_read_as_wireshark_writes_them() {
        assert_eq!(time(0), "NULL");
        let at = |unix: u128, fraction: u128| (unix + u128::from(TO_1970)) << 32 | fraction;
        assert_eq!(time(at(1_704_067_200, 1 << 31)), "Jan  1, 2024 00:00:00.500000000 UTC");
        assert_eq!(time(at(951_782_400, 0)), "Feb 29, 2000 00:00:00.000000000 UTC");
        assert_eq!(time(1 << 32), "Feb  7, 2036 06:28:17.000000000 UTC");
        assert_eq!(reference_id(0x4e49_5354), "NIST");
        assert_eq!(reference_id(0xc000_0201), "192.0.2.1");
        assert_eq!((poll(6).as_str(), precision(0xec).as_str()), ("64 s", "0.000000954 s"));
    }
}
