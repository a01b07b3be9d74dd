import { defaultMesh } from "../../src/api/default-mesh.ts";
import type { InjectionSpec } from "../../src/api/mesh.ts";
import type { InjectionContext } from "../../src/injector/context.ts";
import { sidecarBootstrap } from "../../src/xds/sidecar-bootstrap.ts";

/** What injection works with in tests: the newest Kubernetes, the defaults of the Mesh but for these. */
export function injectContext(
	settings: Partial<InjectionSpec> = {},
	fields: Partial<InjectionContext> = {},
): InjectionContext {
	return {
		version: "0.1.0",
		namespace: "shop",
		ownNamespace: "lateen-system",
		settings: {
			proxyImage: "lateen-proxy:0.1.0",
			...defaultMesh().injection,
			...settings,
		},
		kubernetes: { nativeSidecars: true, sleepHooks: true },
		makeBootstrap: sidecarBootstrap,
		...fields,
	};
}
