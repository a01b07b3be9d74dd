import type { MetricsRegistry } from "../../observability/metrics.ts";
import { programVersion } from "../../settings/program-version.ts";

/** Makes the figure that tells versions apart. */
export function addBuildInfo(registry: MetricsRegistry): void {
	registry
		.gauge(
			"lateen_build_info",
			"Always 1; the labels say which version of Lateen runs on which version of Node.js.",
			["version", "node"],
		)
		.set(1, { version: programVersion, node: process.versions.node });
}
