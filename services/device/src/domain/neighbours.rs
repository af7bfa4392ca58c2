use types::{AccessGroupId, AreaId, ContractorId, FaceId, SiteId, WorkerId};

/// An area as directory says it is.
#[derive(Debug, Clone)]
pub(crate) struct Area {
    pub(crate) id: AreaId,
    pub(crate) site: SiteId,
    pub(crate) access_group: Option<AccessGroupId>,
    pub(crate) active: bool,
    pub(crate) version: u64,
}

/// A worker as directory says they are: which face, and where they work for whom.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) face: Option<FaceId>,
    pub(crate) engagements: Vec<(SiteId, ContractorId)>,
    pub(crate) version: u64,
}
