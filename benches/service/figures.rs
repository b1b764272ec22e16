//! Medians and percentiles.

/// The middle one of some figures, or the mean of the two in the middle; `NaN` of none.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let sorted = sorted(figures);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The figure that `share` of them lie below; `NaN` of none.
pub fn percentile(figures: impl Iterator<Item = f64>, share: f64) -> f64 {
    let sorted = sorted(figures);
    let place = (sorted.len() as f64 * share) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(place.min(last)).copied().unwrap_or(f64::NAN)
}

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}
