/** Departments and people: read by everyone (P1), written by the organisation's own system (P12). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Door } from '../../door.ts'
import { visitorOf } from '../auth.ts'
import { encodeDepartment, encodeTree } from '../encode.ts'
import { departmentBody, idPath, newUserBody, userBody } from '../wire.ts'

export function organisationRoutes(door: Door): FastifyPluginAsyncZod {
  const { organisation } = door.chat

  return async (app) => {
    app.get('/departments', { schema: { hide: true } }, async () => {
      const departments = await organisation.listDepartments()
      return { success: true, data: departments.map(encodeDepartment) }
    })

    app.get('/org/tree', { schema: { hide: true } }, async () => {
      return { success: true, data: encodeTree(await organisation.readTree()) }
    })

    app.post('/departments/create', { schema: { hide: true, body: departmentBody } }, async (request) => {
      const { name, code = null, parent_id, sort_order } = request.body
      const fields = { name, code, parentId: parent_id, sortOrder: sort_order }
      const { id } = await organisation.createDepartment(visitorOf(request).principal, fields)
      return { success: true, data: { id } }
    })

    app.post('/users/create', { schema: { hide: true, body: newUserBody } }, async (request) => {
      const { username, password, email = null, full_name = null, department_id } = request.body
      const person = { username, password, email, fullName: full_name, departmentId: department_id }
      const { id } = await organisation.createUser(visitorOf(request).principal, person)
      return { success: true, data: { id } }
    })

    app.put('/users/:id', { schema: { hide: true, params: idPath, body: userBody } }, async (request) => {
      const { full_name, email, department_id, is_active } = request.body
      const patch = {
        ...(typeof full_name === 'string' && { fullName: full_name }),
        ...(typeof email === 'string' && { email }),
        ...(department_id !== undefined && { departmentId: department_id }),
        ...(typeof is_active === 'boolean' && { isActive: is_active }),
      }
      await organisation.updateUser(visitorOf(request).principal, request.params.id, patch)
      return { success: true }
    })
  }
}
