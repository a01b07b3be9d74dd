import type { ClusterRef } from "../../mesh/route.ts";
import type { Hostname } from "../../mesh/service.ts";

/*
 * Every name on the wire, printed and parsed in one place.
 *
 *   cluster          outbound|9080|version=v2|reviews.default.svc.cluster.local
 *                    inbound|127.0.0.1:9080, passthrough, blackhole, dynamic_forward_proxy
 *   route            http.9080 (captured), outbound (explicit), gateway.default.edge
 *   virtual host     <route>/<hostname>:<port>
 *   listener         virtual_outbound, virtual_inbound, 0.0.0.0_9080, 10.0.0.7_3306 (captured)
 *                    outbound, inbound_127.0.0.1:4000, tcp_<hostname>:<port>, gateway_127.0.0.1:8080
 *   gRPC listener    reviews.default:9080, or any other host of the service
 */

/** Connects to the address that the client asked for. */
export const passthroughCluster = "passthrough";
/** Has no endpoints, on purpose: connections to it are closed. */
export const blackholeCluster = "blackhole";
/** Has no endpoints, on purpose: stands where a rule names what does not exist. */
export const unresolvedCluster = "unresolved";
/** Resolves the host that the client asked for. */
export const dynamicForwardProxyCluster = "dynamic_forward_proxy";
/** Connects to the application beside the proxy, on the port that the client asked for. */
export const inboundPassthroughCluster = "inbound_passthrough";

/** Name of the cluster of one port and subset of a service, and of its endpoints. */
export function clusterName(
	hostname: Hostname,
	port: number,
	subset: string,
): string {
	return `outbound|${port}|${subset}|${hostname}`;
}

/** Name of the cluster that a route points at. */
export function clusterNameOf(ref: ClusterRef): string {
	return clusterName(ref.hostname, ref.port, ref.subset.name);
}

/** The parts of a cluster name, or undefined when it names none of a service. */
export function parseClusterName(name: string):
	| {
			readonly hostname: Hostname;
			readonly port: number;
			readonly subset: string;
	  }
	| undefined {
	const [direction, port, subset, hostname, ...rest] = name.split("|");
	if (direction !== "outbound" || rest.length > 0) return undefined;
	if (port === undefined || subset === undefined) return undefined;
	if (hostname === undefined || !/^[0-9]+$/.test(port)) return undefined;
	return { hostname, port: Number(port), subset };
}

/** Name of the cluster of one port of the application beside the proxy. */
export function inboundClusterName(application: string): string {
	return `inbound|${application}`;
}

/** A name as it stands in Envoy's statistics, where what follows a dot is taken for the name of the figure. */
export function statName(name: string): string {
	return name.replaceAll(".", "_");
}

/** Name of the routes of one HTTP port, for captured traffic. */
export function portRouteName(port: number): string {
	return `http.${port}`;
}

/** Name of the routes of an explicit sidecar's forward proxy: all HTTP ports. */
export const forwardProxyRouteName = "outbound";

/** Name of the routes of a gateway (`namespace/name`). */
export function gatewayRouteName(gateway: string): string {
	return `gateway.${gateway.replace("/", ".")}`;
}

/** Name of a virtual host; by VHDS's rule it begins with the name of its route configuration. */
export function virtualHostName(
	route: string,
	hostname: Hostname,
	port: number,
): string {
	return `${route}/${hostname}:${port}`;
}

/** Name of a captured listener, as Envoy finds it by original destination. */
export function capturedListenerName(address: string, port: number): string {
	return `${address}_${port}`;
}
