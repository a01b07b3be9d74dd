import type { CallerRule } from "../../mesh/caller.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import {
	carriesHttp,
	type Service,
	type ServicePort,
} from "../../mesh/service.ts";
import { grpcListener } from "../generate/grpc-listener.ts";
import type { Resource } from "../resource.ts";
import { ChangeCollector } from "./resource-layer.ts";
import { serviceByHost } from "./service-by-host.ts";

/** Listeners that one gRPC client has asked for; each is made when it is first asked for. */
export class GrpcResources {
	readonly #asked = new Map<string, Resource | undefined>();
	readonly #rulesOf: (
		service: Service,
		port: ServicePort,
	) => readonly CallerRule[];
	readonly #namespace: string;
	#mesh: Mesh;

	constructor(
		mesh: Mesh,
		namespace: string,
		rulesOf: (service: Service, port: ServicePort) => readonly CallerRule[],
	) {
		this.#mesh = mesh;
		this.#namespace = namespace;
		this.#rulesOf = rulesOf;
	}

	/** The listener of this target (`reviews.default:9080`), or undefined when there is no such service. */
	listener(target: string): Resource | undefined {
		if (!this.#asked.has(target)) this.#asked.set(target, this.#make(target));
		return this.#asked.get(target);
	}

	/** Makes those that were asked for anew. */
	update(mesh: Mesh): ChangeCollector {
		this.#mesh = mesh;
		const changes = new ChangeCollector();
		for (const [target, old] of this.#asked) {
			const resource = this.#make(target);
			if (resource?.version === old?.version) continue;
			this.#asked.set(target, resource);
			changes.add("listener", target);
		}
		return changes;
	}

	#make(target: string): Resource | undefined {
		const colon = target.lastIndexOf(":");
		const host = colon < 0 ? target : target.slice(0, colon);
		const service = serviceByHost(this.#mesh, this.#namespace, host);
		const ports = service?.ports.filter((p) => carriesHttp(p.protocol)) ?? [];
		const port =
			colon < 0
				? ports[0]
				: ports.find((p) => p.number === Number(target.slice(colon + 1)));
		return service && port
			? grpcListener(target, service, port, this.#rulesOf(service, port))
			: undefined;
	}
}
