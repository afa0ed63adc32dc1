//! The user behind sudo or pkexec: who the program becomes when it was started as root by somebody.

use super::process;
use std::ffi::{CString, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The variables in which sudo and pkexec say who called them.
pub const USERS: [&str; 3] = ["SUDO_UID", "SUDO_GID", "PKEXEC_UID"];

/// The user behind sudo or pkexec.
pub struct Behind {
    /// The user.
    pub uid: u32,
    /// The user's login group.
    pub gid: u32,
    /// The login name; none for a number that the user data base does not know.
    pub name: Option<CString>,
    /// The home directory.
    pub home: Option<PathBuf>,
}

/// Who called sudo or pkexec; none where that was root.
pub fn user_behind() -> Option<Behind> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let uid =
        number("SUDO_UID").or_else(|| number("PKEXEC_UID")).filter(|uid| *uid != 0 && *uid != u32::MAX)?;
    let Some(user) = process::user(uid) else {
        // A number that the user data base does not know is still less than root.
        let gid = number("SUDO_GID").filter(|gid| *gid != u32::MAX).unwrap_or(uid);
        return Some(Behind { uid, gid, name: None, home: None });
    };
    Some(Behind { uid, gid: user.gid, name: Some(user.name), home: Some(user.home) })
}

/// The name of the user who started the program, the one behind sudo where there is one.
pub fn user_outside() -> String {
    let uid = if process::ids().1 == 0 { user_behind().map_or(0, |user| user.uid) } else { process::ids().0 };
    process::user(uid).map_or_else(|| format!("user {uid}"), |user| user.name.to_string_lossy().into_owned())
}

/// The numbers of user and group of a process that needs no more than its capabilities: of the user behind sudo, else
/// of nobody.
pub fn harmless() -> (u32, u32) {
    /// The number that the kernel itself shows for users that do not exist in a user namespace.
    const NOBODY: u32 = 65534;
    user_behind().map_or((NOBODY, NOBODY), |user| (user.uid, user.gid))
}

impl Behind {
    /// The variables by which programs find the user's home, session and display.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut set: Vec<(&'static str, OsString)> = Vec::new();
        if let Some(name) = self.name.as_ref().and_then(|name| name.to_str().ok()) {
            set.push(("USER", name.into()));
            set.push(("LOGNAME", name.into()));
        }
        let home = self.home.clone().unwrap_or_else(|| "/".into());
        set.push(("HOME", home.clone().into()));
        let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let runtime = PathBuf::from(format!("/run/user/{}", self.uid));
        if std::fs::metadata(&runtime).is_ok_and(|found| found.uid() == self.uid) {
            if !has("DBUS_SESSION_BUS_ADDRESS") && runtime.join("bus").exists() {
                set.push(("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/bus", runtime.display()).into()));
            }
            // sudo keeps DISPLAY, but not WAYLAND_DISPLAY.
            if !has("WAYLAND_DISPLAY") && !has("DISPLAY") && runtime.join("wayland-0").exists() {
                set.push(("WAYLAND_DISPLAY", "wayland-0".into()));
            }
            set.push(("XDG_RUNTIME_DIR", runtime.into()));
        }
        let readable = std::env::var_os("XAUTHORITY")
            .and_then(|path| std::fs::metadata(path).ok())
            .is_some_and(|found| found.uid() == self.uid);
        let authority = home.join(".Xauthority");
        if !readable && authority.is_file() {
            set.push(("XAUTHORITY", authority.into()));
        }
        set
    }
}
