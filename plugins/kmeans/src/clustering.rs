//! K-means: Lloyd's iterations from greedy k-means++ starts (Arthur and Vassilvitskii 2007), as in
//! scikit-learn. The same seed and points give the same clusters; nothing else is looked at.

use cadre_policy_sdk::Chance;

/// Lanes of the inner loops: enough for 128-bit instructions to overlap.
const LANES: usize = 16;
/// An iteration that moves the centroids by less (relative to the points' variance) is the last.
const TOLERANCE: f32 = 1e-4;

/// How to search.
pub(crate) struct Search {
    pub(crate) clusters: usize,
    pub(crate) starts: u32,
    pub(crate) iterations: u32,
    pub(crate) seed: u64,
}

/// Places of the points by cluster, nearest to the centroid first. No cluster is empty.
#[derive(Debug, PartialEq)]
pub(crate) struct Clusters {
    pub(crate) members: Vec<Vec<usize>>,
}

/// Where the points belong, at the end of a start.
struct Assignment {
    cluster: Vec<usize>,
    /// Squared distance to the cluster's centroid.
    distance: Vec<f32>,
}

impl Assignment {
    fn spread(&self) -> f64 {
        self.distance.iter().map(|distance| f64::from(*distance)).sum()
    }
}

impl Search {
    /// Clusters points that all have the same, finite coordinates.
    pub(crate) fn run(&self, points: &[&[f32]]) -> Clusters {
        let mut chance = Chance::new(self.seed);
        let mut best: Option<Assignment> = None;
        for _ in 0..self.starts {
            let found = self.start(points, &mut chance);
            if best.as_ref().is_none_or(|best| found.spread() < best.spread()) {
                best = Some(found);
            }
        }
        let mut members = vec![Vec::new(); self.clusters];
        if let Some(best) = best {
            for (place, cluster) in best.cluster.iter().enumerate() {
                members[*cluster].push(place);
            }
            for members in &mut members {
                // Stable: of equals the first.
                members.sort_by(|a, b| best.distance[*a].total_cmp(&best.distance[*b]));
            }
        }
        members.retain(|members| !members.is_empty());
        Clusters { members }
    }

    fn start(&self, points: &[&[f32]], chance: &mut Chance) -> Assignment {
        let mut centroids = first_centroids(points, self.clusters.min(points.len()), chance);
        let least = TOLERANCE * variance(points);
        let mut assignment = assign(points, &centroids);
        for _ in 0..self.iterations {
            let moved = improve(points, &assignment, &mut centroids);
            let next = assign(points, &centroids);
            let settled = next.cluster == assignment.cluster || moved <= least;
            assignment = next;
            if settled {
                break;
            }
        }
        assignment
    }
}

/// Far from each other, by chance; each is the best of a few draws.
fn first_centroids(points: &[&[f32]], clusters: usize, chance: &mut Chance) -> Vec<Vec<f32>> {
    if points.is_empty() || clusters == 0 {
        return Vec::new();
    }
    let draws = 2 + (clusters as f64).ln() as usize;
    let first = points[chance.below(points.len())];
    let mut centroids = vec![first.to_vec()];
    let mut nearest: Vec<f32> = points.iter().map(|point| apart(point, first)).collect();
    while centroids.len() < clusters {
        let total: f64 = nearest.iter().map(|distance| f64::from(*distance)).sum();
        if total <= 0.0 {
            break; // every point is a centroid already
        }
        let mut best: Option<(f64, usize, Vec<f32>)> = None;
        for _ in 0..draws {
            let place = drawn(&nearest, total * chance.fraction());
            let closer: Vec<f32> = points
                .iter()
                .zip(&nearest)
                .map(|(point, known)| apart(point, points[place]).min(*known))
                .collect();
            let left: f64 = closer.iter().map(|distance| f64::from(*distance)).sum();
            if best.as_ref().is_none_or(|best| left < best.0) {
                best = Some((left, place, closer));
            }
        }
        let Some((_, place, closer)) = best else { break };
        centroids.push(points[place].to_vec());
        nearest = closer;
    }
    centroids
}

/// The place where the running sum of weights reaches a mark.
fn drawn(weights: &[f32], mark: f64) -> usize {
    let mut sum = 0.0;
    for (place, weight) in weights.iter().enumerate() {
        sum += f64::from(*weight);
        if sum > mark {
            return place;
        }
    }
    weights.len() - 1
}

fn assign(points: &[&[f32]], centroids: &[Vec<f32>]) -> Assignment {
    let mut assignment =
        Assignment { cluster: Vec::with_capacity(points.len()), distance: Vec::with_capacity(points.len()) };
    for point in points {
        let (mut cluster, mut distance) = (0, f32::INFINITY);
        for (place, centroid) in centroids.iter().enumerate() {
            let here = apart(point, centroid);
            if here < distance {
                (cluster, distance) = (place, here);
            }
        }
        assignment.cluster.push(cluster);
        assignment.distance.push(distance);
    }
    assignment
}

/// Moves every centroid to the mean of its points; one without points goes to the point that is
/// farthest from its own. Gives the squared way all went together.
fn improve(points: &[&[f32]], assignment: &Assignment, centroids: &mut [Vec<f32>]) -> f32 {
    let dimensions = points.first().map_or(0, |point| point.len());
    let mut sums = vec![vec![0.0_f32; dimensions]; centroids.len()];
    let mut counts = vec![0_usize; centroids.len()];
    for (point, cluster) in points.iter().zip(&assignment.cluster) {
        counts[*cluster] += 1;
        for (sum, value) in sums[*cluster].iter_mut().zip(*point) {
            *sum += value;
        }
    }
    let mut farthest: Vec<usize> = (0..points.len()).collect();
    if counts.contains(&0) {
        let far = &assignment.distance;
        farthest.sort_by(|a, b| far[*b].total_cmp(&far[*a]));
    }
    let mut homeless = farthest.into_iter();
    let mut moved = 0.0;
    for ((centroid, sum), count) in centroids.iter_mut().zip(sums).zip(counts) {
        let next = match (count, homeless.as_slice()) {
            (0, [place, ..]) => {
                let place = *place;
                homeless.next();
                points[place].to_vec()
            }
            (0, []) => continue,
            (count, _) => sum.into_iter().map(|value| value / count as f32).collect(),
        };
        moved += apart(centroid, &next);
        *centroid = next;
    }
    moved
}

/// Mean over the coordinates of their variance.
fn variance(points: &[&[f32]]) -> f32 {
    let Some(first) = points.first() else {
        return 0.0;
    };
    let mut mean = vec![0.0_f32; first.len()];
    for point in points {
        for (sum, value) in mean.iter_mut().zip(*point) {
            *sum += value / points.len() as f32;
        }
    }
    let all: f32 = points.iter().map(|point| apart(point, &mean)).sum();
    all / (points.len() * first.len().max(1)) as f32
}

/// Squared distance.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = (a.remainder().iter().zip(b.remainder())).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..LANES {
            let way = a[lane] - b[lane];
            lanes[lane] += way * way;
        }
    }
    lanes.iter().sum::<f32>() + rest
}
