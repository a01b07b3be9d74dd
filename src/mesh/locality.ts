import type { Node } from "../api/core.ts";
import { memoByInput } from "../lib/memo.ts";
import type { Locality } from "./endpoint.ts";

/** Where a workload is of which nobody says where it is. */
export const nowhere: Locality = { region: "", zone: "" };

/** The locality that a Node's well-known labels say. */
export const localityOfNode: (node: Node) => Locality = memoByInput(
	(node: Node): Locality => {
		const region = node.metadata.labels["topology.kubernetes.io/region"] ?? "";
		const zone = node.metadata.labels["topology.kubernetes.io/zone"] ?? "";
		return region === "" && zone === "" ? nowhere : { region, zone };
	},
);

/** The locality that an ExternalService writes as `region/zone/subzone`; the subzone is part of the zone. */
export function parseLocality(text: string | undefined): Locality {
	if (text === undefined || text === "") return nowhere;
	const [region = "", ...zone] = text.split("/");
	return { region, zone: zone.join("/") };
}
