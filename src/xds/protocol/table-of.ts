/** Name of the route configuration that a virtual host belongs to. */
export function tableOf(virtualHost: string): string {
	return virtualHost.slice(0, Math.max(0, virtualHost.lastIndexOf("/")));
}
