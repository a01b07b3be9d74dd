import { access, constants } from "node:fs/promises";

/** Whether there is a program at a path that we may run. */
export async function isExecutable(path: string): Promise<boolean> {
	return await access(path, constants.X_OK).then(
		() => true,
		() => false,
	);
}
