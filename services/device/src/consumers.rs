mod follow_areas;
mod follow_explanations;
mod follow_workers;

pub use follow_areas::FollowAreas;
pub use follow_explanations::FollowExplanations;
pub use follow_workers::FollowWorkers;
