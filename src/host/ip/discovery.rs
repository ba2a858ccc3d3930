//! `IP_MTU_DISCOVER` and `IPV6_MTU_DISCOVER`: who cuts what is too large.

/// What becomes of a packet that is larger than its path carries: the values of `IP_MTU_DISCOVER`
/// (`ip(7)`) and `IPV6_MTU_DISCOVER` (`ipv6(7)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MtuDiscovery {
    /// `IP_PMTUDISC_DONT`: fragments, here or at any router.
    Dont,
    /// `IP_PMTUDISC_WANT`: fragments made here, of the size that the path is known to carry; what
    /// needs none is not cut on its way. The default.
    #[default]
    Want,
    /// `IP_PMTUDISC_DO`: nobody cuts it, and what is known to be too large is refused (EMSGSIZE).
    Do,
    /// `IP_PMTUDISC_PROBE`: nobody cuts it, and what is too large for the interface is refused
    /// (EMSGSIZE); what is known of the path does not count.
    Probe,
    /// `IP_PMTUDISC_INTERFACE`: routers may cut it; what is too large for the interface is refused
    /// (EMSGSIZE), and what is known of the path does not count.
    Interface,
    /// `IP_PMTUDISC_OMIT`: as `Interface`, but what is too large is cut here.
    Omit,
}

impl MtuDiscovery {
    /// Whether routers may not cut it (Linux's `ip_dont_fragment`).
    pub(super) fn forbids_fragments(self) -> bool {
        matches!(self, MtuDiscovery::Want | MtuDiscovery::Do | MtuDiscovery::Probe)
    }

    /// Whether it is cut here (Linux's `ip_sk_ignore_df`).
    pub(super) fn makes_fragments(self) -> bool {
        matches!(self, MtuDiscovery::Dont | MtuDiscovery::Want | MtuDiscovery::Omit)
    }

    /// Whether what is known of the path counts (Linux's `ip_sk_use_pmtu`).
    pub(super) fn heeds_path(self) -> bool {
        matches!(self, MtuDiscovery::Dont | MtuDiscovery::Want | MtuDiscovery::Do)
    }
}
