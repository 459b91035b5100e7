"""What a Tensor says of itself and becomes, against torch: attributes, conversions, constructors, Python's protocols (600 lines allowed: one expression a line)."""

import re
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402

EXPRESSIONS = """
type(t)
torch.Tensor
torch.nn.Parameter
type(t.shape)
type(t.dtype)
type(t.device)
torch.Size([2,3])
torch.Size((2,3))[0]
torch.Size([2,3])[:1]
torch.Size([2,3])+(4,)
(4,)+torch.Size([2,3])
torch.Size([2,3])==(2,3)
torch.Size([2,3]).numel()
torch.Size([])
list(m.shape)
m.shape
m.size()
m.size(0)
m.size(-1)
m.size(5)
torch.float32
torch.float
str(torch.float32)
t.device
str(t.device)
t.layout
torch.strided
torch.contiguous_format
torch.preserve_format
t.is_cuda
t.is_cpu
t.is_sparse
t.is_quantized
t.is_mps
t.is_meta
t.is_mkldnn
t.is_xpu
t.is_nested
t.names
t.name
t.ndim
t.nbytes
t.itemsize
t.element_size()
t.dim()
m.dim_order()
m.t().dim_order()
t.has_names()
t.is_leaf
t.grad
t.grad_fn
t.output_nr
t._version
t.is_shared()
t.is_pinned()
t.is_inference()
t.is_conj()
t.is_neg()
t.storage_offset()
t.untyped_storage().nbytes()
len(t.storage())
t.storage().tolist()
t.numel()
t.nelement()
t.type()
t.type(torch.float64)
t.type('torch.DoubleTensor')
t.type('torch.FooTensor')
t.type(torch.DoubleTensor)
t.type(torch.IntTensor)
t.double()
t.float() is t
t.half()
t.int()
t.long()
t.short()
t.char()
t.byte()
t.bool()
t.cfloat()
t.cdouble()
t.to(torch.float64)
t.to('cpu') is t
t.to(torch.device('cpu'))
t.to('cpu',torch.float64)
t.to('cpu',dtype=torch.int32)
t.to(i)
t.to(dtype=torch.int64)
t.to(other=i)
t.to(torch.float32,copy=True) is t
t.to(t) is t
t.to(None)
t.to()
t.to('foo')
t.to('cuda')
t.to(0)
t.to(float)
t.to(int)
t.to('float32')
t.to(torch.float64, non_blocking=True)
t.to('cpu', torch.float64, True, True)
t.to(memory_format=torch.contiguous_format)
t.cpu()
t.cuda()
t.to(device='cpu')
torch.cuda.is_available()
torch.cuda.device_count()
torch.get_default_device()
t.get_device()
t.new_zeros(2)
t.new_zeros(2,3)
t.new_zeros((2,))
t.new_ones(2,dtype=torch.int64)
t.new_full((2,),7)
t.new_empty(2).shape
t.new_tensor([1,2])
t.new_tensor([1,2],requires_grad=True)
t.new_empty_strided((2,3),(1,2)).stride()
t.new(2,3).shape
t.new([1,2])
i.new_tensor([1.5])
i.new_full((2,),1.5)
torch.Tensor([1,2])
torch.Tensor(2,3).shape
torch.Tensor()
torch.Tensor(t)
torch.Tensor(5).shape
torch.Tensor((1,2))
torch.Tensor(2.5)
torch.Tensor('a')
torch.Tensor([[1,2],[3]])
torch.Tensor(torch.Size([2])).shape
torch.Tensor([True])
torch.Tensor(i)
torch.Tensor([1,2],dtype=torch.int64)
torch.FloatTensor([1,2])
torch.LongTensor([1,2])
torch.LongTensor([1.5])
torch.IntTensor(2).shape
torch.BoolTensor([True,False])
torch.DoubleTensor([1])
torch.ByteTensor([1,2])
torch.HalfTensor([1])
torch.FloatTensor(2,3).shape
torch.FloatTensor()
torch.FloatTensor(t)
torch.FloatTensor
isinstance(t,torch.FloatTensor)
isinstance(t,torch.DoubleTensor)
isinstance(t,torch.Tensor)
isinstance(i,torch.LongTensor)
torch.is_tensor(t)
torch.is_tensor([1])
torch.numel(t)
torch.equal(t,t)
torch.equal(t,1)
torch.is_floating_point(t)
torch.is_complex(c)
torch.typename(t)
torch.tensor([[1,2],[3]])
torch.tensor([1,[2]])
torch.tensor([[1],2])
torch.tensor('a')
torch.tensor(['a'])
torch.tensor(None)
torch.tensor([None])
torch.tensor({})
torch.tensor({'a':1})
torch.tensor([1,2.5])
torch.tensor([True,1])
torch.tensor([1,2j])
torch.tensor([])
torch.tensor([[]])
torch.tensor([[],[]])
torch.tensor(())
torch.tensor(range(3))
torch.tensor((1,2))
torch.tensor([(1,2),[3,4]])
torch.tensor(set([1]))
torch.tensor([t,t])
torch.tensor([z,1.0])
torch.tensor([z,z],requires_grad=True)
torch.tensor([[z,1],[2,3]])
torch.tensor(1,dtype=torch.bool)
torch.tensor(2**40)
torch.tensor(2**63)
torch.tensor(300,dtype=torch.uint8)
torch.tensor(-1,dtype=torch.uint8)
torch.tensor(1.7,dtype=torch.int32)
torch.tensor([1,2],requires_grad=True)
torch.tensor(1j,dtype=torch.float32)
torch.tensor(float('nan'),dtype=torch.int32)
torch.tensor([1.,2.],dtype='float32')
torch.tensor([1.,2.],dtype=float)
torch.tensor([1.,2.],device='cpu')
torch.tensor([1.,2.],device='cuda')
torch.tensor()
torch.tensor(1,2)
torch.tensor(b'ab')
torch.tensor(bytearray(b'ab'))
torch.tensor(memoryview(b'ab'))
__import__('array').array('f',[1,2]) and torch.tensor(__import__('array').array('f',[1,2]))
torch.tensor(x for x in [1])
torch.tensor(map(int,[1]))
torch.tensor(object())
torch.tensor(3).item()
torch.tensor([3]).item()
t.item()
e.item()
t.tolist()
m.tolist()
z.tolist()
b.tolist()
c.tolist()
e.tolist()
t[0].item()
torch.tensor([[1]]).item()
torch.frombuffer(bytearray(8),dtype=torch.float32)
torch.frombuffer(b'abcd',dtype=torch.uint8)
torch.from_dlpack(np.ones(3))
torch.from_dlpack(t)
torch.from_dlpack(r)
torch.from_dlpack(r.detach())
torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(t))
type(torch.utils.dlpack.to_dlpack(r)).__name__
np.from_dlpack(t)
np.from_dlpack(r)
np.from_dlpack(m.t())
np.from_dlpack(z)
np.from_dlpack(b)
np.from_dlpack(c)
np.from_dlpack(e)
np.from_dlpack(torch.zeros(1,3).expand(2,3)).strides
t.__dlpack__() is None
r.__dlpack__()
t.__dlpack__(stream=1)
t.__dlpack__(max_version=(1,0)) is None
t.__dlpack__(copy=True) is None
t.__dlpack__(dl_device=(1,0)) is None
torch.from_dlpack([1])
torch.from_dlpack(np.ones(3)[::2])
torch.from_dlpack(np.array(2.5))
torch.from_dlpack(np.ones((2,0)))
torch.from_dlpack(np.array([True]))
torch.from_dlpack(np.array([1j]))
t.__dir__()[:0]
'add' in dir(t)
'backward' in dir(torch.Tensor)
'tensor' in dir(torch)
t.foo
setattr(t,'foo',5)
t.__class__
t.__class__ is torch.Tensor
t.__class__.__name__
type(t).__name__
type(t) is torch.Tensor
t.__len__()
t.__array__()
t.__contains__(1.)
t.data
t.data_ptr()==t.data_ptr()
r.data
t.T
z.T
m.T.shape
m.mT.shape
m.H.shape
m.mH.shape
t.real is t
c.real
t.imag
t.requires_grad
setattr(t,'requires_grad',True)
setattr(i,'requires_grad',True)
setattr(t,'shape',(1,))
setattr(t,'dtype',torch.int64)
setattr(t,'grad',1)
setattr(t,'grad',torch.ones(2))
t.apply_(lambda x:x+1)
t.map_(t,lambda x,y:x+y)
t.as_subclass(torch.Tensor)
torch.Tensor.add(t,t)
torch.Tensor.__add__(t,t)
torch.Tensor.sum(m,0)
torch.Tensor.numpy(t)
torch.is_grad_enabled()
torch.finfo(torch.float32)
torch.finfo(torch.float32).eps
torch.iinfo(torch.int32)
torch.iinfo(torch.int32).max
torch.finfo(torch.int32)
torch.get_default_dtype()
torch.can_cast(torch.float32,torch.int32)
torch.promote_types(torch.int32,torch.float32)
torch.result_type(t,1.0)
torch.float32.is_floating_point
torch.float32.itemsize
torch.float32.to_complex()
torch.float32==torch.float
torch.float32 is torch.float
hash(torch.float32)==hash(torch.float)
{torch.float32:1}[torch.float]
torch.device('cpu')
torch.device('cuda:1')
torch.device('cpu')=='cpu'
torch.device('foo')
torch.device('cpu',0)
torch.device(0)
torch.memory_format
torch.layout
isinstance(torch.strided,torch.layout)
isinstance(torch.float32,torch.dtype)
isinstance(torch.contiguous_format,torch.memory_format)
t.contiguous(memory_format=torch.contiguous_format)
t.is_contiguous(memory_format=torch.contiguous_format)
t.clone(memory_format=torch.preserve_format)
torch.empty(2,memory_format=torch.contiguous_format).shape
torch.zeros(2,layout=torch.strided)
torch.zeros(2,device=torch.device('cpu'))
torch.zeros(2,pin_memory=False)
torch.empty_like(t,memory_format=torch.preserve_format).shape
torch.scalar_tensor(3)
torch.empty_strided((2,3),(1,2)).stride()
torch.initial_seed()>=0
t.equal(t)
t.allclose(t)
t.is_same_size(m)
t.is_set_to(t)
t.is_nonzero()
z.is_nonzero()
torch.is_nonzero(t)
t.__bool__()
t.__repr__()
t.__str__()
t.__format__('')
z.__format__('.2f')
t.__hash__()==id(t)
t.__sizeof__()>0
t.__eq__(1)
t.__eq__('a')
t.__eq__(None)
t.__ne__(None)
t.__lt__('a')
t.eq('a')
t.eq(None)
torch.eq(t,None)
t.__rsub__(1)
t.__rpow__(2)
t.__rtruediv__(2)
t.__floordiv__(2)
t.__rfloordiv__(2)
t.__mod__(2)
t.__rmod__(2)
t.__matmul__(t)
t.__rmatmul__(t)
t.__pos__()
t.__neg__()
t.__abs__()
t.__invert__()
i.__invert__()
t.__getitem__(0)
t.__setitem__(0,5.)
t.__deepcopy__({})
t.__reduce_ex__(2)[0] is None
t.__cuda_array_interface__
t.__array_priority__
(lambda a,b,c:c)(*t)
dict(zip('abc',t))
[x.item() for x in t]
[x.shape for x in m]
enumerate(t).__next__()
list(zip(t,t))
sum(t)
max(m[0])
sorted(t,reverse=True)
{t[0]:1}
{1.0:1}.get(t[0])
t in {t:1}
[t].index(t)
t[0]==1.0 and 'yes'
'yes' if t[0] else 'no'
z>2 or None
z is z
z == z
t.__dict__
vars(t)
t.retain_grad()
t.pin_memory()
t.refine_names('a')
t.rename('a')
t.align_to('a')
t.register_hook(lambda g:g)
t.detach()
r.detach().requires_grad
r.detach_()
t.requires_grad_()
i.requires_grad_()
t.requires_grad_(False)
t.backward()
t.is_complex()
t.is_signed()
t.is_floating_point()
i.is_floating_point()
t.data.fill_(3)
t.nbytes==t.numel()*t.element_size()
torch.tensor(1.).shape
torch.tensor(5).type()
torch.tensor(5).dtype
bool(torch.tensor([True]))
bool(torch.tensor([[0.]]))
int(torch.tensor([5]))
float(torch.tensor(3))
torch.tensor(5)//2
divmod(torch.tensor(7),2)
round(torch.tensor(2.567),2)
torch.tensor(2.5).__round__()
__import__('math').sqrt(torch.tensor(4.))
__import__('math').floor(z)
__import__('math').ceil(z)
__import__('math').trunc(z)
__import__('math').sqrt(t)
__import__('math').isnan(z)
__import__('json').dumps(z)
__import__('operator').index(i[0])
hex(i[0])
'abc'[i[0]]
range(i[1])
slice(i[0],i[1])
[1,2,3][i[0]:i[1]]
__import__('struct').pack('f',z)
chr(torch.tensor(65))
complex(torch.tensor(1+2j))
abs(c)
torch.tensor([1,2])==torch.tensor([1,3])
torch.tensor([1,2])==torch.tensor([1,2,3])
t!=t
t==1
t=='1'
t is not None
torch.device('cpu') in [t.device]
torch.Generator('cpu').initial_seed()
torch.typename([1])
torch.tensor([1.,2.]).sum().item()
torch.tensor([1.,2.]).to_list()
torch.as_tensor([1,2])
torch.as_tensor('a')
torch.asarray(None)
torch.from_numpy(None)
torch.zeros(2,3,dtype=torch.float)
torch.zeros('a')
torch.zeros(2.5)
torch.zeros(-1)
torch.zeros([2,3])
torch.zeros((2,),(3,))
torch.full((2,),'a')
torch.full(2,1)
torch.eye(2.5)
torch.arange('a')
torch.arange(3,device='cuda')
torch.linspace(0,1,3)
torch.linspace(0,1)
torch.zeros_like([1])
torch.ones_like(t,dtype=torch.int64)
""".strip().split("\n")


def inputs(t):
    return {
        "t": t.tensor([1.0, 2.0, 3.0]),
        "r": t.tensor([1.0, 2.0, 3.0], requires_grad=True),
        "z": t.tensor(2.5),
        "m": t.arange(6.0).reshape(2, 3),
        "i": t.tensor([1, 2]),
        "b": t.tensor([True, False]),
        "c": t.tensor([1 + 2j]),
        "e": t.empty(0, 3),
        "torch": t,
        "np": np,
    }


def outcome(expression, t):
    """The printed value, or the built-in class of the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return re.sub(r"0x[0-9a-f]+", "0x", str(eval(expression, inputs(t))))
        except Exception as error:
            return next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_prints_what_torch_prints(expression):
    assert outcome(expression, tg) == outcome(expression, torch)
