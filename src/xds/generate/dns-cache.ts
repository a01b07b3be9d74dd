import { Cluster_DnsLookupFamily } from "../../gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import type { DnsCacheConfigSchema } from "../../gen/envoy/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.js";
import type { Init } from "./init.ts";

/** The cache of resolved hosts; filter and cluster must name the same one in the same words. */
export const dnsCacheConfig: Init<typeof DnsCacheConfigSchema> = {
	name: "dynamic_forward_proxy",
	dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
	maxHosts: 1024,
};
