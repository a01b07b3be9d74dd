import type { MeshSpec } from "./mesh.ts";
import { parseObject } from "./parse-object.ts";

/** What holds when there is no Mesh: the defaults of its schema. */
export function defaultMesh(): MeshSpec {
	const parsed = parseObject({
		apiVersion: "lateen.dev/v1alpha1",
		kind: "Mesh",
		metadata: { name: "default" },
		spec: {},
	});
	if (parsed.kind !== "object" || parsed.object.kind !== "Mesh")
		throw new Error("An empty Mesh must be good.");
	return parsed.object.spec;
}
