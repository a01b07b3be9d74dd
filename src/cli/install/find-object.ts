import type { Json } from "../../injector/json.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { ObjectClient, ObjectPlace } from "../../kube/object-client.ts";
import type { KubeResource } from "../../kube/resources.ts";

/** An object, or undefined when it or its kind does not exist. */
export async function findObject(
	client: ObjectClient,
	resource: KubeResource,
	at: ObjectPlace,
): Promise<Json | undefined> {
	try {
		return (await client.get(resource, at)).content;
	} catch (error) {
		if (error instanceof KubeError && error.code === "KUBE_NOT_FOUND")
			return undefined;
		throw error;
	}
}
