import type { InjectionContexts } from "../../../admission/inject-http.ts";
import { defaultMesh } from "../../../api/default-mesh.ts";
import type { InjectionSpec } from "../../../api/mesh.ts";
import type { Objects } from "../../../api/objects.ts";
import type { KubernetesAbilities } from "../../../injector/context.ts";
import { programVersion } from "../../../settings/program-version.ts";
import { sidecarBootstrap } from "../../../xds/sidecar-bootstrap.ts";

/** What new pods are injected with: the settings of the newest Mesh that was read. */
export class KnownInjection {
	readonly #ownNamespace: string;
	readonly #proxyImage: string;
	readonly #abilities: () => KubernetesAbilities | undefined;
	#settings: InjectionSpec | undefined;

	/**
	 * @param ownNamespace of the control plane
	 * @param proxyImage of pods, unless the Mesh names another
	 * @param abilities of the API server; undefined before it was asked
	 */
	constructor(
		ownNamespace: string,
		proxyImage: string,
		abilities: () => KubernetesAbilities | undefined,
	) {
		this.#ownNamespace = ownNamespace;
		this.#proxyImage = proxyImage;
		this.#abilities = abilities;
	}

	/** Takes the settings from these, which must be all objects that there are. */
	keep(objects: Pick<Objects, "Mesh">): void {
		this.#settings = (
			objects.Mesh.get("default")?.spec ?? defaultMesh()
		).injection;
	}

	/** For the webhook. */
	readonly contexts: InjectionContexts = (namespace) => {
		const settings = this.#settings;
		const kubernetes = this.#abilities();
		if (settings === undefined || kubernetes === undefined) return undefined;
		return {
			version: programVersion,
			namespace,
			ownNamespace: this.#ownNamespace,
			settings: {
				...settings,
				proxyImage: settings.proxyImage ?? this.#proxyImage,
			},
			kubernetes,
			makeBootstrap: sidecarBootstrap,
		};
	};
}
