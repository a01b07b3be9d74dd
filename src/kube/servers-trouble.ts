import { KubeError } from "./kube-error.ts";

/** Whether every other request would fail in the same way at the moment. */
export function isServersTrouble(error: unknown): boolean {
	return (
		!(error instanceof KubeError) ||
		error.code === "KUBE_UNREACHABLE" ||
		error.code === "KUBE_SILENT" ||
		error.code === "KUBE_BUSY" ||
		error.code === "KUBE_UNAUTHENTICATED"
	);
}
