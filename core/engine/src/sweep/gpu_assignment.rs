//! Assigns a CUDA device to each local worker if the recipes of a sweep do not choose one. Only counts devices; does
//! not open them.

use std::path::Path;

use cadre_scheduler::{StageSpec, StageWork};

/// Environment variable that lists the devices a process sees, in order.
pub(super) const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// The devices to assign: those visible to this process, if there are several and no stage that computes on CUDA
/// chooses one, as `cuda:1` does.
pub(super) fn visible_gpus(stages: &[StageSpec], visible: Option<&str>, devices: &Path) -> Vec<String> {
    let mut models = stages.iter().filter_map(|stage| match &stage.work {
        StageWork::Train(work) => Some(&work.model),
        StageWork::Evaluate(work) => Some(&work.model),
        _ => None,
    });
    if !models.all(|model| model.backend == "cuda" && model.pace.index == 0) {
        return Vec::new();
    }
    let seen: Vec<String> = match visible {
        Some(list) => {
            list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        None => (0..nodes(devices)).map(|index| index.to_string()).collect(),
    };
    if seen.len() > 1 { seen } else { Vec::new() }
}

/// Number of devices that the driver exposes: `nvidia0`, `nvidia1`, … in `/dev`.
fn nodes(devices: &Path) -> usize {
    let is_card = |name: &str| {
        name.strip_prefix("nvidia")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    std::fs::read_dir(devices)
        .map(|entries| {
            entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_card)).count()
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_the_visible_or_the_existing_ones() {
        let devices = tempfile::tempdir().unwrap();
        for name in ["nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm", "null"] {
            std::fs::write(devices.path().join(name), "").unwrap();
        }
        // No stage chooses a device.
        let gpus = |visible| visible_gpus(&[], visible, devices.path());
        assert_eq!(gpus(None), ["0", "1", "2"]);
        assert_eq!(gpus(Some("3, GPU-5e1a")), ["3", "GPU-5e1a"]);
        assert!(gpus(Some("2")).is_empty(), "a single device is not assigned");
        assert!(gpus(Some("")).is_empty(), "no device is visible");
    }
}
