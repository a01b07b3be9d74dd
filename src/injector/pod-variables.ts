/** Variables of the proxy's container that the kubelet puts in the place of `$(NAME)` in its arguments. */
export const podVariables = {
	name: "$(POD_NAME)",
	namespace: "$(POD_NAMESPACE)",
	/** The first address of the pod, of either family. */
	address: "$(POD_IP)",
} as const;

/** The variables as `env` of a container. */
export const podEnvironment = [
	fromField("POD_NAME", "metadata.name"),
	fromField("POD_NAMESPACE", "metadata.namespace"),
	fromField("POD_IP", "status.podIP"),
] as const;

function fromField(name: string, fieldPath: string): unknown {
	// Spelled out as the API server would, so that its form and ours are the same.
	return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}

/** JSON as an argument of a container: nothing in it is taken for a variable but those above. */
export function jsonArgument(value: unknown): string {
	let text = JSON.stringify(value).replaceAll("$", "$$$$");
	for (const variable of Object.values(podVariables))
		text = text.replaceAll(`$${variable}`, () => variable);
	return text;
}
