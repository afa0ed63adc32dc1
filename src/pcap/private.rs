//! A directory of the user's own among those of others, as in `/tmp`: the same one at each start.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How many names are tried where others have taken them.
const TRIES: u32 = 100;

/// The user's own directory in `base`, which is made where it is missing: `rawbench-UID`, mode 0700. One that somebody else
/// made under this name, or that is a link, or that others may look into, is passed by, and the next name is taken. `None`:
/// none can be had, or somebody else may rename what stands in `base`.
#[must_use]
pub fn private_directory(base: &Path) -> Option<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let outer = std::fs::metadata(base).ok()?;
    let is_safe = matches!(outer.uid(), owner if owner == 0 || owner == uid)
        && (outer.mode() & 0o022 == 0 || outer.mode() & 0o1000 != 0);
    if !is_safe {
        return None;
    }
    (0..TRIES).find_map(|n| {
        let name = if n == 0 { format!("rawbench-{uid}") } else { format!("rawbench-{uid}-{n}") };
        let path = base.join(name);
        // What is there already is looked at like what was made.
        let _ = DirBuilder::new().mode(0o700).create(&path);
        let found = std::fs::symlink_metadata(&path).ok()?;
        (found.is_dir() && found.uid() == uid && found.mode() & 0o077 == 0).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn it_is_the_same_again_and_nobody_elses() {
        let base = tempfile::tempdir().unwrap();
        let own = private_directory(base.path()).unwrap();
        assert_eq!(std::fs::metadata(&own).unwrap().mode() & 0o777, 0o700);
        assert_eq!(private_directory(base.path()), Some(own.clone()));
        // Open to others, a link to a private directory, a file.
        std::fs::set_permissions(&own, Permissions::from_mode(0o755)).unwrap();
        let second = private_directory(base.path()).unwrap();
        assert!(second != own && second.to_string_lossy().ends_with("-1"));
        let target = base.path().join("target");
        std::fs::rename(&second, &target).unwrap();
        symlink(&target, &second).unwrap();
        let third = private_directory(base.path()).unwrap();
        assert!(third != second && third.to_string_lossy().ends_with("-2"));
        std::fs::remove_dir(&third).unwrap();
        std::fs::write(&third, b"").unwrap();
        assert!(private_directory(base.path()).unwrap().to_string_lossy().ends_with("-3"));
        // Anybody may rename what stands here.
        std::fs::set_permissions(base.path(), Permissions::from_mode(0o777)).unwrap();
        assert_eq!(private_directory(base.path()), None);
        std::fs::set_permissions(base.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(private_directory(base.path()).is_some());
    }
}
