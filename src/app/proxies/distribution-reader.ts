import type { DistributionReader } from "../../controllers/distribution-reader.ts";
import type { Distribution } from "../../xds/catalog/distribution.ts";

/** Shows to the status of objects how far they have come among proxies. */
export function distributionReader(
	distribution: Distribution,
): DistributionReader {
	return {
		// Resources are always made from the object's form in the mesh.
		of: (ref) => ({ ...distribution.reachOf(ref), generation: undefined }),
		lackingOf: (ref) => distribution.lackingOf(ref),
		subscribe: (listener) => distribution.subscribe(listener),
		subscribeTotals: (listener) => distribution.subscribeTotals(listener),
	};
}
